package dev.sluice.compute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.BackendDecision.Candidate;
import dev.sluice.compute.FakeProvider.Fault;
import dev.sluice.compute.cpu.CpuProvider;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class BackendsTest {
    /// A provider that cannot run.
    private record Missing(String name, int preference, String reason) implements BackendProvider {
        Missing(String name, int preference) {
            this(name, preference, "no " + name + " device");
        }

        @Override
        public Availability probe() {
            return new Availability.Unavailable(reason);
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

    @ParameterizedTest
    @ValueSource(strings = {"libcuda.so.1 cannot be used", "the driver supports CUDA 12.4, the kernels need 13.0",
            "the hopper kernels need exactly [90]", "training needs at least 2 GiB"})
    void whateverKeepsAGpuFromRunningIsAReasonInTheDecision(String reason) {
        var candidate = rejected(new Missing("hopper", 100, reason));
        assertEquals(reason, candidate.reason());
        assertFalse(candidate.available());
    }

    @ParameterizedTest
    @CsvSource({"PROBE_THROWS,half a driver", "DOES_NOT_OPEN,the context is gone", "PRODUCTS_LEFT_UNWRITTEN,linear leaves z unwritten",
            "PRODUCTS_THROW,illegal address"})
    void autoGoesOnFromABackendThatFails(Fault fault, String reason) {
        var candidate = rejected(new FakeProvider("hopper", 100, fault));
        assertTrue(candidate.reason().contains(reason), candidate.reason());
        assertFalse(candidate.available());
    }

    private static Candidate rejected(BackendProvider provider) {
        var choice = new Backends(List.of(new CpuProvider(), provider)).choose("auto");
        choice.backend().close();
        assertEquals("cpu", choice.decision().chosen());
        return choice.decision().candidates().getFirst();
    }

    @ParameterizedTest
    @EnumSource(names = {"PRODUCTS_LEFT_UNWRITTEN", "PRODUCTS_THROW", "DOES_NOT_OPEN", "PROBE_THROWS"})
    void namedBackendThatFailsIsRefusedWithTheReason(Fault fault) {
        var backends = new Backends(List.of(new CpuProvider(), new FakeProvider("hopper", 100, fault)));
        var error = assertThrows(BackendUnavailableException.class, () -> backends.choose("grouped_mm"));
        assertTrue(error.getMessage().contains("ask for auto"), error.getMessage());
    }

    @Test
    void errorsOfEveryOperationAreKeptWithTheDecision() {
        var choice = new Backends(List.of(new CpuProvider(), new FakeProvider("hopper", 100, Fault.NONE))).choose("auto");
        choice.backend().close();
        assertEquals("hopper", choice.decision().chosen());
        assertEquals(List.of("linear", "linear of one input", "route", "experts", "attention", "cross entropy", "adamw"),
                choice.decision().choice().checks().stream().map(BackendDecision.Check::operation).toList());
        assertEquals("hash of hopper", choice.decision().kernels());
    }

    @Test
    void backendThatIsNotToBeComparedIsTakenAsItIs() {
        var all = new Backends(List.of(new CpuProvider(), new FakeProvider("hopper", 100, Fault.PRODUCTS_LEFT_UNWRITTEN)));
        var choice = all.uncompared().choose("hopper");
        choice.backend().close();
        assertTrue(choice.decision().choice().reason().contains("not compared"), choice.decision().choice().reason());
    }

    @Test
    void backendIsTakenUncomparedWhereThereIsNoReference() {
        var choice = new Backends(List.of(new FakeProvider("hopper", 100, Fault.NONE))).choose("auto");
        choice.backend().close();
        assertTrue(choice.decision().choice().reason().contains("not compared"), choice.decision().choice().reason());
    }

    @Test
    void environmentNamesTheBackend() {
        assertEquals("auto", Backends.requested(Map.of()));
        assertEquals("native_torch", Backends.requested(Map.of("UNSLOTH_MOE_BACKEND", "native_torch")));
        assertEquals("cpu", Backends.requested(Map.of("UNSLOTH_MOE_BACKEND", "grouped_mm", "SLUICE_BACKEND", "cpu")));
    }
}
