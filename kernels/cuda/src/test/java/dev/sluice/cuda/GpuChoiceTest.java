package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendDecision.Candidate;
import dev.sluice.compute.Backends;
import dev.sluice.compute.Tuning;
import dev.sluice.compute.Workload;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.probe.SpeedProbe;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The automatic choice on a GPU; skipped without one.
class GpuChoiceTest {
    /// A layer of Qwen3-30B-A3B.
    private static final Workload QWEN3 = new Workload(2048, 16, 4096, new Workload.Attention(32, 4, 128, 128, 0, false),
            new Workload.Experts(128, 8, 768, GatedActivation.SWIGLU, false));
    private static final double MOST_SECONDS = 2;

    @TempDir
    private Path folder;

    @BeforeAll
    static void needsAGpu() {
        var availability = new PortableProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
    }

    @Test
    void comparisonWithTheReferencePassesAndIsQuick() {
        Backends.installed().choose("portable").backend().close(); // Java compiles what it needs
        long began = System.nanoTime();
        var choice = Backends.installed().choose("auto");
        double seconds = (System.nanoTime() - began) / 1e9;
        try (Backend chosen = choice.backend()) {
            System.out.printf("chose %s in %.2f s: %s%n", chosen.name(), seconds, choice.decision());
            assertTrue(!chosen.name().equals("cpu"), choice.decision().toString());
            assertEquals(7, choice.decision().choice().checks().size());
            assertTrue(choice.decision().kernels().contains(chosen.name() + " "), choice.decision().kernels());
            assertTrue(seconds < MOST_SECONDS, seconds + " s");
        }
    }

    @Test
    void everyGpuBackendIsTimedOnceAndThenRemembered() throws Exception {
        var tuning = new Tuning.Fastest(QWEN3, folder.resolve("speed.properties"));
        long began = System.nanoTime();
        var first = Backends.installed().choose("auto", tuning);
        first.backend().close();
        System.out.printf("timed in %.2f s: %s%n", (System.nanoTime() - began) / 1e9, first.decision());
        String kept = Files.readString(folder.resolve("speed.properties"));
        var second = Backends.installed().choose("auto", tuning);
        second.backend().close();
        assertEquals(first.decision(), second.decision());
        assertEquals(kept, Files.readString(folder.resolve("speed.properties")));
        List<Candidate> timed = first.decision().candidates().stream().filter(one -> !one.milliseconds().isEmpty()).toList();
        assertTrue(timed.stream().anyMatch(one -> one.name().equals("portable")), first.decision().toString());
        timed.forEach(one -> assertEquals(4, one.milliseconds().size(), one.toString()));
    }

    @Test
    void kernelsThatAreExpectedOfAWorkloadRun() {
        for (String name : List.of("hopper", "portable")) {
            var provider = name.equals("hopper") ? new HopperProvider() : new PortableProvider();
            if (provider.probe() instanceof Availability.Available) {
                try (Backend backend = provider.open()) {
                    SpeedProbe.measure(backend, QWEN3);
                    var expected = backend.kernels(QWEN3);
                    assertEquals(name.equals("hopper") ? List.of("hopper_", "flash_forward", "flash_backward") : List.of("gemm_"), expected);
                    expected.forEach(prefix -> assertTrue(backend.launches().keySet().stream().anyMatch(kernel -> kernel.startsWith(prefix)),
                            prefix + " among " + backend.launches()));
                }
            }
        }
    }
}
