package dev.sluice.bench;

import dev.sluice.compute.Backends;
import picocli.CommandLine.Option;

/// Which backend to measure.
public final class BackendOption {
    @Option(names = "--backend", defaultValue = Backends.AUTO, description = "auto, hopper, portable or cpu (default: ${DEFAULT-VALUE})")
    private String backend;

    /// Opens it on the calling thread.
    ///
    /// @throws dev.sluice.compute.BackendUnavailableException saying why it cannot run here
    public Backends.Choice open() {
        return Backends.installed().choose(backend);
    }
}
