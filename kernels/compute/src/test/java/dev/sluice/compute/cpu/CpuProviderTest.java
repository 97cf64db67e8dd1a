package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backends;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CpuProviderTest {
    @Test
    void cpuIsInstalledAndRunsWhenNamed() {
        var choice = Backends.installed().choose("CPU");
        try (var backend = choice.backend()) {
            assertEquals("cpu", backend.name());
            assertEquals("cpu", choice.decision().chosen());
            assertTrue(backend.description().contains("OpenBLAS"), backend.description());
        }
    }

    @Test
    void probeSaysWithHowManyThreads() {
        assertInstanceOf(Availability.Available.class, new CpuProvider().probe());
    }

    @Test
    void threadsAreAllProcessorsUnlessSet() {
        assertEquals(Runtime.getRuntime().availableProcessors(), CpuProvider.threads(null));
        assertEquals(Runtime.getRuntime().availableProcessors(), CpuProvider.threads(" "));
        assertEquals(3, CpuProvider.threads(" 3 "));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0", "-1", "two", "1.5"})
    void threadsThatAreNoCountAreRefused(String setting) {
        var error = assertThrows(IllegalArgumentException.class, () -> CpuProvider.threads(setting));
        assertTrue(error.getMessage().contains(CpuProvider.THREADS) && error.getMessage().contains(setting), error.getMessage());
    }
}
