package dev.sluice.bench;

import dev.sluice.compute.Backends;
import picocli.CommandLine.Option;

/// Which backend to measure.
public final class BackendOption {
    @Option(names = "--backend", defaultValue = Backends.AUTO, description = "auto, hopper, portable or cpu (default: ${DEFAULT-VALUE})")
    private String backend;

    @Option(names = "--uncompared", description = "take the backend even if it would compute small cases wrong here")
    private boolean uncompared;

    /// Opens it on the calling thread.
    ///
    /// @throws dev.sluice.compute.BackendUnavailableException saying why it cannot run here
    public Backends.Choice open() {
        return uncompared ? openUncompared() : Backends.installed().choose(backend);
    }

    /// Opens it without the comparison with the reference.
    public Backends.Choice openUncompared() {
        return Backends.installed().uncompared().choose(backend);
    }
}
