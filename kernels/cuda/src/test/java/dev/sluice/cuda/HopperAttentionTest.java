package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.BackendProvider;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.op.AttentionOps;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The Hopper attention kernels against the portable ones, which the contract holds to float64, at the one width they take.
class HopperAttentionTest {
    /// Two independent roundings of probabilities and results to bf16.
    private static final double TOLERANCE = 2 * 0x1p-8;

    @BeforeAll
    static void needsHopper() {
        var availability = new HopperProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
    }

    /// document lengths, query heads, key-value heads, window, sinks
    @ParameterizedTest
    @CsvSource({"1,1,1,0,false", "63,2,1,0,false", "64,2,2,0,true", "65,4,1,0,false", "127,1,1,0,false", "128,8,2,0,false", "129,4,4,0,true",
        "1 70 1 200 33,4,2,0,false", "700,8,1,0,false", "700,4,2,300,true", "300 300 300,4,1,1,true", "2048,4,1,0,false",
        "100 1 1 900 24,8,4,64,false"})
    void attentionAgreesWithThePortableKernels(String documents, int heads, int kvHeads, int window, boolean sinks) {
        int[] lengths = Arrays.stream(documents.split(" ")).mapToInt(Integer::parseInt).toArray();
        var wanted = run(new PortableProvider(), lengths, heads, kvHeads, window, sinks);
        var found = run(new HopperProvider(), lengths, heads, kvHeads, window, sinks);
        for (int i = 0; i < wanted.size(); i++) {
            double size = Arrays.stream(wanted.get(i)).map(v -> v * v).sum();
            double difference = 0;
            for (int j = 0; j < wanted.get(i).length; j++) {
                difference += Math.pow(wanted.get(i)[j] - found.get(i)[j], 2);
            }
            // A query that sees one key has gradients of rounding size only.
            double error = size < 1e-4 * wanted.get(i).length ? Math.sqrt(difference / wanted.get(i).length) : Math.sqrt(difference / size);
            assertTrue(error <= TOLERANCE, "result " + i + ": relative difference " + error);
        }
        for (int repeat = 0; repeat < 5; repeat++) {
            var again = run(new HopperProvider(), lengths, heads, kvHeads, window, sinks);
            for (int i = 0; i < found.size(); i++) {
                assertArrayEquals(found.get(i), again.get(i));
            }
        }
    }

    private static List<double[]> run(BackendProvider provider, int[] lengths, int heads, int kvHeads, int window, boolean withSinks) {
        try (var backend = (CudaBackend) provider.open(); var world = new World(backend, 0, 3);
                var step = backend.scope(Lifetime.STEP, "step")) {
            var segments = world.segments(lengths);
            int tokens = segments.tokens();
            var sinks = withSinks ? world.float32("sinks", 1, heads).tensor() : null;
            var shape = new AttentionOps.Shape(heads, kvHeads, 128, 128, (float) (1 / Math.sqrt(128)), window, sinks);
            var q = world.activations("q", 2, tokens, heads, 128).tensor();
            var k = world.activations("k", 2, tokens, kvHeads, 128).tensor();
            var v = world.activations("v", 1, tokens, kvHeads, 128).tensor();
            var dOut = world.activations("dOut", 1, tokens, heads, 128).tensor();
            var out = world.output("out", tokens, heads, 128);
            var lse = world.poisoned("lse", DType.FLOAT32, tokens, heads);
            var dq = world.output("dq", tokens, heads, 128);
            var dk = world.output("dk", tokens, kvHeads, 128);
            var dv = world.output("dv", tokens, kvHeads, 128);
            backend.attention().forward(q, k, v, segments, shape, out, lse, step);
            backend.attention().backward(dOut, q, k, v, out, lse, segments, shape, dq, dk, dv, step);
            assertTrue(provider instanceof PortableProvider || backend.launches().getOrDefault("hopper_attention_backward_queries", 0L) == 1,
                    "the Hopper kernels did not run: " + backend.launches());
            return List.of(world.read(out), world.read(lse), world.read(dq), world.read(dk), world.read(dv));
        }
    }
}
