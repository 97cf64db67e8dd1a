package dev.sluice.bench;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;
import java.util.ServiceLoader;

/// A backend by its name, for tests that are skipped where it cannot run.
public final class NamedBackend {
    private NamedBackend() {}

    public static Backend open(String name) {
        var provider = ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get)
                .filter(one -> one.name().equals(name)).findFirst().orElseThrow();
        var availability = provider.probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
        return provider.open();
    }
}
