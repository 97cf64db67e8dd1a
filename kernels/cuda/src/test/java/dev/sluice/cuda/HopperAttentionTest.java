package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.contract.World;
import dev.sluice.compute.op.AttentionOps;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The Hopper attention kernels against the portable ones, which the contract holds to float64, at the widths they take.
class HopperAttentionTest {
    /// Two independent roundings of probabilities and results to bf16.
    private static final double TOLERANCE = 2 * 0x1p-8;
    /// All must give the same bits.
    private static final int RUNS = 50;
    /// Of cases that are large enough to differ by themselves.
    private static final int LARGE_RUNS = 6;
    private static final int LARGE = 1 << 16;

    /// Keeps the device's context alive between runs, which would otherwise each make it anew.
    private static Backend kept;

    @BeforeAll
    static void needsHopper() {
        var availability = new HopperProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
        kept = new HopperProvider().open();
    }

    @AfterAll
    static void close() {
        if (kept != null) {
            kept.close();
        }
    }

    /// columns of a head, document lengths, query heads, key-value heads, window, sinks
    @ParameterizedTest
    @CsvSource({"128,1,1,1,0,false", "128,63,2,1,0,false", "128,64,2,2,0,true", "128,65,4,1,0,false", "128,127,1,1,0,false",
        "128,128,8,2,0,false", "128,129,4,4,0,true", "128,1 70 1 200 33,4,2,0,false", "128,700,8,1,0,false", "128,700,4,2,300,true",
        "128,300 300 300,4,1,1,true", "128,2048,4,1,0,false", "128,1100,32,4,0,false", "128,100 1 1 900 24,8,4,64,false",
        "64,1,1,1,0,false", "64,63,2,2,0,true", "64,64,8,1,0,false", "64,65,1,1,0,false", "64,128,4,2,0,false", "64,129,8,2,128,true",
        "64,700,8,1,128,true", "64,1 70 1 200 33,4,2,0,false", "64,300 300 300,4,1,1,true", "64,1100,64,8,0,true", "64,1500,64,8,128,true",
        "64,2048,8,1,0,false", "64,100 1 1 900 24,8,4,64,false",
        "192,1,1,1,0,false", "192,64,2,2,0,true", "192,65,4,1,0,false", "192,128,2,1,0,false", "192,129,4,4,33,true",
        "192,1 70 1 200 33,4,2,0,false", "192,700,4,2,300,true", "192,1100,16,16,0,false", "192,100 1 1 900 24,8,1,64,false",
        "256,1,1,1,0,false", "256,63,2,1,0,false", "256,64,2,2,0,true", "256,65,4,1,0,false", "256,127,1,1,0,false", "256,128,2,1,0,false",
        "256,129,4,4,33,true", "256,1 70 1 200 33,4,2,0,false", "256,300 300 300,4,1,1,true", "256,700,4,2,300,true",
        "256,1100,20,20,0,false", "256,100 1 1 900 24,8,1,64,false", "256,2048,4,2,1024,false"})
    void attentionAgreesWithThePortableKernels(int head, String documents, int heads, int kvHeads, int window, boolean sinks) {
        int[] lengths = Arrays.stream(documents.split(" ")).mapToInt(Integer::parseInt).toArray();
        int runs = Arrays.stream(lengths).sum() * heads * head / 64 < LARGE ? RUNS : LARGE_RUNS;
        var wanted = run(new PortableProvider(), 1, head, lengths, heads, kvHeads, window, sinks);
        var found = run(new HopperProvider(), runs, head, lengths, heads, kvHeads, window, sinks);
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
    }

    /// out, lse, dq, dk and dv; all runs must give the bits of the first.
    private static List<double[]> run(BackendProvider provider, int times, int head, int[] lengths, int heads, int kvHeads, int window,
            boolean withSinks) {
        int value = head == 192 ? 128 : head;
        try (var backend = (CudaBackend) provider.open(); var world = new World(backend, 0, 3);
                var step = backend.scope(Lifetime.STEP, "step")) {
            var segments = world.segments(lengths);
            int tokens = segments.tokens();
            // As a checkpoint has them; heads of 128 with float32 ones.
            var sinks = !withSinks ? null : (head == 128 ? world.float32("sinks", 1, heads) : world.activations("sinks", 1, heads)).tensor();
            var shape = new AttentionOps.Shape(heads, kvHeads, head, value, (float) (1 / Math.sqrt(head)), window, sinks);
            var q = world.activations("q", 2, tokens, heads, head).tensor();
            var k = world.activations("k", 2, tokens, kvHeads, head).tensor();
            var v = world.activations("v", 1, tokens, kvHeads, value).tensor();
            var dOut = world.activations("dOut", 1, tokens, heads, value).tensor();
            var out = world.output("out", tokens, heads, value);
            var lse = world.poisoned("lse", DType.FLOAT32, tokens, heads);
            var dq = world.output("dq", tokens, heads, head);
            var dk = world.output("dk", tokens, kvHeads, head);
            var dv = world.output("dv", tokens, kvHeads, value);
            List<double[]> first = null;
            for (int i = 0; i < times; i++) {
                for (var result : List.of(out, lse, dq, dk, dv)) {
                    world.poison(result);
                }
                backend.attention().forward(q, k, v, segments, shape, out, lse, step);
                backend.attention().backward(dOut, q, k, v, out, lse, segments, shape, dq, dk, dv, step);
                var results = List.of(world.read(out), world.read(lse), world.read(dq), world.read(dk), world.read(dv));
                first = first == null ? results : first;
                for (int j = 0; j < first.size(); j++) {
                    assertArrayEquals(first.get(j), results.get(j));
                }
            }
            boolean hopper = provider instanceof HopperProvider;
            assertEquals(hopper ? times : 0, backend.launches().getOrDefault("flash_forward_" + head, 0L));
            assertEquals(hopper ? times : 0, backend.launches().getOrDefault("flash_backward_" + head, 0L));
            return first;
        }
    }
}
