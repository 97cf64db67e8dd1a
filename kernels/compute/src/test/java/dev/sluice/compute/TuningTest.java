package dev.sluice.compute;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.BackendDecision.Candidate;
import dev.sluice.compute.FakeProvider.Fault;
import dev.sluice.compute.Workload.Attention;
import dev.sluice.compute.Workload.Experts;
import dev.sluice.compute.cpu.CpuProvider;
import dev.sluice.compute.op.GatedActivation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The choice by measured speed.
class TuningTest {
    private static final Workload WORKLOAD = new Workload(32, 4, 20, new Attention(4, 2, 16, 16, 0, false),
            new Experts(8, 2, 16, GatedActivation.SWIGLU, false));
    private static final Set<String> OPERATIONS = Set.of("projection", "attention", "experts, even", "experts, skewed");

    @TempDir
    private Path folder;
    private Path cache;

    @BeforeEach
    void name() {
        cache = folder.resolve("below").resolve("speed.properties");
    }

    private BackendDecision decision(Fault hopper, Workload workload) {
        var backends = new Backends(List.of(new FakeProvider("hopper", 100, hopper), new FakeProvider("portable", 50, Fault.NONE),
                new CpuProvider()));
        var choice = backends.choose("auto", new Tuning.Fastest(workload, cache));
        choice.backend().close();
        assertEquals(choice.decision().chosen(), choice.backend().name());
        return choice.decision();
    }

    private static Candidate candidate(BackendDecision decision, String name) {
        return decision.candidates().stream().filter(one -> one.name().equals(name)).findFirst().orElseThrow();
    }

    private void pretend(String backend, double milliseconds) throws IOException {
        var all = new Properties();
        try (var in = Files.newBufferedReader(cache)) {
            all.load(in);
        }
        String key = all.stringPropertyNames().stream().filter(one -> one.startsWith(backend)).findFirst().orElseThrow();
        all.setProperty(key, "projection=" + milliseconds);
        try (var out = Files.newBufferedWriter(cache)) {
            all.store(out, null);
        }
    }

    @Test
    void everyCandidateIsTimedAtTheWorkload() {
        var decision = decision(Fault.NONE, WORKLOAD);
        assertEquals(OPERATIONS, candidate(decision, "hopper").milliseconds().keySet());
        assertEquals(OPERATIONS, candidate(decision, "portable").milliseconds().keySet());
        assertTrue(candidate(decision, "cpu").milliseconds().isEmpty());
        assertEquals(WORKLOAD.bucket(1 << 15).describe(), decision.workload());
        assertTrue(decision.choice().reason().startsWith("chosen: a " + decision.chosen() + " card, "), decision.choice().reason());
    }

    @Test
    void theFasterOneWinsWhateverIsPreferred() throws IOException {
        decision(Fault.NONE, WORKLOAD);
        pretend("hopper", 50_000);
        pretend("portable", 40_000);
        var decision = decision(Fault.NONE, WORKLOAD);
        assertEquals("portable", decision.chosen());
        assertEquals(40_000, decision.choice().milliseconds().get("projection"));
        assertTrue(candidate(decision, "hopper").reason().contains("portable"), candidate(decision, "hopper").reason());
        assertEquals("hash of portable", decision.kernels());
    }

    @Test
    void runsOfAboutTheSameLengthShareTheirMeasurements() throws IOException {
        decision(Fault.NONE, WORKLOAD);
        pretend("hopper", 50_000);
        pretend("portable", 40_000);
        var longer = new Workload(32, 4, 31, WORKLOAD.attention(), WORKLOAD.experts());
        assertEquals(40_000, decision(Fault.NONE, longer).choice().milliseconds().get("projection"));
        var more = new Workload(32, 4, 33, WORKLOAD.attention(), WORKLOAD.experts());
        assertEquals(OPERATIONS, decision(Fault.NONE, more).choice().milliseconds().keySet());
    }

    @Test
    void cacheThatCannotBeReadIsMeasuredAgain() throws IOException {
        Files.createDirectories(cache.getParent());
        Files.writeString(cache, "key=\\uZZZZ");
        assertEquals(OPERATIONS, decision(Fault.NONE, WORKLOAD).choice().milliseconds().keySet());
        Files.writeString(cache, Files.readString(cache).replaceAll("projection=[^;]*", "projection=soon"));
        assertEquals(OPERATIONS, decision(Fault.NONE, WORKLOAD).choice().milliseconds().keySet());
    }

    @Test
    void cacheThatCannotBeWrittenDoesNotMatter() throws IOException {
        Files.writeString(folder.resolve("below"), "a file where the folder should be");
        assertEquals(OPERATIONS, decision(Fault.NONE, WORKLOAD).choice().milliseconds().keySet());
    }

    @Test
    void backendThatCannotRunTheWorkloadIsOut() {
        var decision = decision(Fault.LARGE_PRODUCTS_UNSUPPORTED, new Workload(16, 4, 1000, null, null));
        assertEquals("portable", decision.chosen());
        assertTrue(candidate(decision, "hopper").reason().contains("no kernel for so many rows"), candidate(decision, "hopper").reason());
    }

    @Test
    void referenceAloneIsNotTimed() {
        var choice = new Backends(List.of(new CpuProvider())).choose("auto", new Tuning.Fastest(WORKLOAD, cache));
        choice.backend().close();
        assertEquals("cpu", choice.decision().chosen());
        assertTrue(Files.notExists(cache));
    }

    @Test
    void tokensAreRoundedUpToPowersOfTwo() {
        assertEquals(List.of(1, 2, 4, 1024, 2048, 4096, 4096), List.of(1, 2, 3, 1024, 1025, 4096, 9000).stream()
                .map(tokens -> new Workload(8, 4, tokens, null, null).bucket(4096).tokens()).toList());
    }
}
