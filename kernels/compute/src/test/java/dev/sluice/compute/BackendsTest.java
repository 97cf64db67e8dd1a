package dev.sluice.compute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.cpu.CpuProvider;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class BackendsTest {
    /// A provider that cannot run.
    private record Missing(String name, int preference) implements BackendProvider {
        @Override
        public Availability probe() {
            return new Availability.Unavailable("no " + name + " device");
        }

        @Override
        public Backend open() {
            throw new IllegalStateException("opened although unavailable");
        }
    }

    private static final Backends NONE_RUNS = new Backends(List.of(new Missing("portable", 1), new Missing("hopper", 2)));

    @Test
    void namedBackendThatCannotRunIsAnErrorWithItsReason() {
        var error = assertThrows(BackendUnavailableException.class, () -> NONE_RUNS.choose("hopper"));
        assertTrue(error.getMessage().contains("no hopper device"), error.getMessage());
    }

    @Test
    void aliasNamesTheSameBackend() {
        var error = assertThrows(BackendUnavailableException.class, () -> NONE_RUNS.choose("unsloth_triton"));
        assertTrue(error.getMessage().contains("no portable device"), error.getMessage());
    }

    @Test
    void unknownNameListsWhatIsInstalled() {
        var error = assertThrows(BackendUnavailableException.class, () -> NONE_RUNS.choose("tpu"));
        assertTrue(error.getMessage().contains("tpu") && error.getMessage().contains("hopper, portable"), error.getMessage());
    }

    @Test
    void autoWithoutAnyBackendGivesAllReasons() {
        var error = assertThrows(BackendUnavailableException.class, () -> NONE_RUNS.choose("auto"));
        assertTrue(error.getMessage().contains("no portable device") && error.getMessage().contains("no hopper device"),
                error.getMessage());
    }

    @Test
    void autoTakesWhatRunsAndRecordsWhyOthersDoNot() {
        BackendProvider cpu = new CpuProvider();
        var choice = new Backends(List.of(cpu, new Missing("hopper", 2))).choose("auto");
        try (var backend = choice.backend()) {
            assertEquals("cpu", backend.name());
            assertEquals(List.of("hopper", "cpu"), choice.decision().candidates().stream().map(BackendDecision.Candidate::name).toList());
            assertEquals("no hopper device", choice.decision().candidates().getFirst().reason());
        }
    }

    @Test
    void environmentNamesTheBackend() {
        assertEquals("auto", Backends.requested(Map.of()));
        assertEquals("native_torch", Backends.requested(Map.of("UNSLOTH_MOE_BACKEND", "native_torch")));
        assertEquals("cpu", Backends.requested(Map.of("UNSLOTH_MOE_BACKEND", "grouped_mm", "SLUICE_BACKEND", "cpu")));
    }
}
