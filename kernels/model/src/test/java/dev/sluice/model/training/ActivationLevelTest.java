package dev.sluice.model.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.OracleCase;
import dev.sluice.model.SpillingBackend;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.peft.AdapterReader;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What a layer keeps decides time and memory, and nothing else.
class ActivationLevelTest {
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    /// @param losses and gradient norms of two steps
    private record Outcome(List<Double> losses, MemorySegment adapter, long peakBytes, long hostBytes) {}

    @ParameterizedTest
    @ValueSource(strings = {Golden.ELEVEN_EXPERTS, Golden.DENSE_LAYERS, "glm4-moe-lite-bfloat16", "deepseek-v3-fp8",
        "gpt-oss-bfloat16", "gpt-oss-mxfp4", "lfm2-bfloat16", "gemma3-bfloat16", "granite-bfloat16", "olmoe-bfloat16",
        "ernie-bfloat16", "glm4-moe-fp8"})
    void everyLevelTrainsTheSameBits(String name) {
        var golden = Golden.read(name);
        try (var model = BaseModel.load(golden.model(), backend)) {
            int layers = model.config().layers();
            Outcome input = train(golden, model, ActivationPolicy.uniform(ActivationLevel.INPUT, layers));
            long peak = input.peakBytes;
            for (var level : ActivationLevel.values()) {
                Outcome other = train(golden, model, ActivationPolicy.uniform(level, layers));
                assertSame(input, other, level.toString());
                assertTrue(other.peakBytes >= peak, level + " peaks at " + other.peakBytes + " bytes, the level below at " + peak);
                peak = other.peakBytes;
            }
            assertTrue(peak > input.peakBytes);
            var all = ActivationLevel.values();
            assertSame(input, train(golden, model, new ActivationPolicy(IntStream.range(0, layers)
                    .mapToObj(layer -> all[(layer + 1) % all.length]).toList())), "a level of its own for every layer");
        }
    }

    /// Six layers, of which three or more share a buffer.
    @Test
    void inputsThatWaitInHostMemoryTrainTheSameBits() {
        var golden = Golden.read("gemma3-bfloat16");
        try (var spilling = SpillingBackend.of(Golden.cpu(), 1L << 30); var model = BaseModel.load(golden.model(), spilling)) {
            int layers = model.config().layers();
            Outcome input = train(golden, model, ActivationPolicy.uniform(ActivationLevel.INPUT, layers));
            assertEquals(0, input.hostBytes);
            Outcome host = train(golden, model, ActivationPolicy.uniform(ActivationLevel.HOST, layers));
            assertSame(input, host, "all inputs in host memory");
            assertTrue(host.peakBytes < input.peakBytes, host.peakBytes + " bytes, with inputs " + input.peakBytes);
            var plan = MemoryPlan.of(model, AdapterReader.read(model, golden.adapterInit()).settings());
            int longest = Stream.of(golden.window(0), golden.window(1)).flatMap(List::stream).mapToInt(TokenRow::tokens).max().orElseThrow();
            assertEquals(plan.hostBytes(longest, plan.uniform(ActivationLevel.HOST)), host.hostBytes);
            for (int mixture = 1; mixture < 1 << layers; mixture += 5) {
                int bits = mixture;
                var policy = new ActivationPolicy(IntStream.range(0, layers).mapToObj(layer ->
                        (bits >> layer & 1) == 1 ? ActivationLevel.HOST : ActivationLevel.values()[1 + layer % 5]).toList());
                assertSame(input, train(golden, model, policy), policy.describe());
            }
        }
    }

    private static void assertSame(Outcome wanted, Outcome found, String message) {
        assertEquals(wanted.losses, found.losses, message);
        assertEquals(-1, wanted.adapter.mismatch(found.adapter), message);
    }

    private static Outcome train(OracleCase golden, BaseModel model, ActivationPolicy policy) {
        try (var training = new LoraTraining(model, AdapterReader.read(model, golden.adapterInit()), golden.settings(), policy)) {
            StepReport first = training.step(golden.window(0));
            StepReport second = training.step(golden.window(1));
            return new Outcome(List.of(first.loss(), first.gradNorm(), second.loss(), second.gradNorm()),
                    training.adapter().values(), training.peakStepBytes(), training.hostBytes());
        }
    }

    @Test
    void policyForAnotherNumberOfLayersIsRefused() {
        var golden = Golden.read(Golden.ELEVEN_EXPERTS);
        try (var model = BaseModel.load(golden.model(), backend)) {
            var policy = ActivationPolicy.uniform(ActivationLevel.MID, model.config().layers() + 1);
            var refusal = assertThrows(IllegalArgumentException.class, () -> train(golden, model, policy));
            assertTrue(refusal.getMessage().contains("the model has " + model.config().layers()), refusal.getMessage());
        }
    }
}
