package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.AttentionOps.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Causal attention over packed documents.
public interface AttentionContract extends Contract {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 63, 64, 65, 127, 128, 129, 300})
    default void attentionMatchesItsReferenceAtAnyLength(int tokens) {
        try (var world = world(tokens)) {
            new Case(world, world.segments(tokens), 2, 1, 8, 8, 0, false).assertForwardAndBackward();
        }
    }

    /// heads, key-value heads, head and value width, window
    @ParameterizedTest
    @CsvSource({"1,1,8,8,0", "4,2,16,16,0", "6,3,20,20,0", "3,1,7,5,0", "2,2,24,16,0", "4,1,16,32,0",
        "2,1,8,8,1", "2,1,8,8,2", "2,1,8,8,33", "2,2,8,8,64", "2,1,8,8,100", "2,1,64,64,0", "4,1,128,128,0", "2,2,128,128,33"})
    default void attentionMatchesItsReferenceForAnyHeads(int heads, int kvHeads, int width, int valueWidth, int window) {
        try (var world = world(heads * 31L + window)) {
            new Case(world, world.segments(1, 70, 1, 33), heads, kvHeads, width, valueWidth, window, false)
                    .assertForwardAndBackward();
        }
    }

    /// gpt-oss: 64, sinks, windows of 128; DeepSeek: 192 and 128; GLM-4.7-Flash and Gemma 3: 256; and what only padding makes fit.
    /// Document lengths, heads, key-value heads, head and value width, window, sinks.
    @ParameterizedTest
    @CsvSource({"1 170,2,1,64,64,128,true", "64 1 63 2,4,1,64,64,0,true", "1 70 1 33,2,1,192,128,0,false", "20 1 75,2,2,192,128,33,true",
        "1 70 1 33,2,1,256,256,0,false", "1 1 60 40,2,2,256,256,33,true", "130,1,1,256,256,0,false", "129,1,1,192,128,0,false",
        "65,1,1,160,96,0,false", "40 30,1,1,200,72,0,true"})
    default void attentionMatchesItsReferenceForTheHeadsOfEveryFamily(String documents, int heads, int kvHeads, int width, int valueWidth,
            int window, boolean sinks) {
        try (var world = world(width + window)) {
            int[] lengths = Arrays.stream(documents.split(" ")).mapToInt(Integer::parseInt).toArray();
            new Case(world, world.segments(lengths), heads, kvHeads, width, valueWidth, window, sinks).assertForwardAndBackward();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 20})
    default void sinksJoinTheSoftmaxWithoutAValue(int window) {
        try (var world = world(window)) {
            new Case(world, world.segments(40, 3), 4, 2, 8, 8, window, true).assertForwardAndBackward();
        }
    }

    /// A window far behind leaves whole tiles of keys unseen.
    @Test
    default void windowSkipsKeysFarBehind() {
        try (var world = world(2)) {
            new Case(world, world.segments(700), 1, 1, 4, 4, 300, false).assertForwardAndBackward();
        }
    }

    @Test
    default void documentsOfOneTokenSeeOnlyThemselves() {
        try (var world = world(3)) {
            var attention = new Case(world, world.segments(1, 1, 1, 1, 1), 2, 2, 8, 8, 0, false);
            attention.forward();
            world.assertClose(attention.out, attention.v.values());
        }
    }

    @Test
    default void attentionGivesTheSameBitsTwice() {
        try (var world = world(4)) {
            var attention = new Case(world, world.segments(90, 70), 4, 2, 16, 16, 0, false);
            attention.forward();
            attention.backward();
            double[] out = world.read(attention.out);
            double[] dk = world.read(attention.dk);
            attention.forward();
            attention.backward();
            assertArrayEquals(out, world.read(attention.out));
            assertArrayEquals(dk, world.read(attention.dk));
        }
    }

    /// One head's scores over 4,096 tokens would be 64 MiB.
    @Test
    default void attentionNeverHoldsAllScores() {
        int tokens = 4096;
        try (var world = world(5); var scratch = world.scratch()) {
            var segments = world.segments(tokens);
            var shape = new Shape(1, 1, 8, 8, 1f, 0, null);
            var q = world.activations("q", 1, tokens, 1, 8).tensor();
            var out = world.output("out", tokens, 1, 8);
            var lse = world.poisoned("lse", DType.FLOAT32, tokens, 1);
            world.backend().attention().forward(q, q, q, segments, shape, out, lse, scratch);
            world.backend().synchronize();
            long bytesPerWorker = 1L << 20;
            assertTrue(scratch.peakBytes() < bytesPerWorker * Runtime.getRuntime().availableProcessors(),
                    "peak " + scratch.peakBytes());
        }
    }

    /// Attention and its reference, computed forward.
    final class Case {
        final World world;
        final Segments segments;
        final Shape shape;
        final Twin q;
        final Twin k;
        final Twin v;
        final Twin dOut;
        final Tensor out;
        final Tensor lse;
        final Tensor dq;
        final Tensor dk;
        final Tensor dv;
        private final Twin sinks;
        private final Autograd graph = new Autograd();
        private final int[] qNodes;
        private final int[] kNodes;
        private final int[] vNodes;
        private final int[] outNodes;
        private final double[] lseValues;

        Case(World world, Segments segments, int heads, int kvHeads, int width, int valueWidth, int window, boolean withSinks) {
            this.world = world;
            this.segments = segments;
            int tokens = segments.tokens();
            sinks = withSinks ? world.activations("sinks", 1, heads) : null;
            shape = new Shape(heads, kvHeads, width, valueWidth, (float) (1 / Math.sqrt(width)), window,
                    withSinks ? sinks.tensor() : null);
            q = world.activations("q", 2, tokens, heads, width);
            k = world.activations("k", 2, tokens, kvHeads, width);
            v = world.activations("v", 1, tokens, kvHeads, valueWidth);
            dOut = world.activations("dOut", 1, tokens, heads, valueWidth);
            out = world.output("out", tokens, heads, valueWidth);
            lse = world.poisoned("lse", DType.FLOAT32, tokens, heads);
            dq = world.output("dq", tokens, heads, width);
            dk = world.output("dk", tokens, kvHeads, width);
            dv = world.output("dv", tokens, kvHeads, valueWidth);
            qNodes = graph.leaves(q.values());
            kNodes = graph.leaves(k.values());
            vNodes = graph.leaves(v.values());
            outNodes = new int[tokens * heads * valueWidth];
            lseValues = new double[tokens * heads];
            for (int s = 0; s < segments.count(); s++) {
                for (int t = segments.starts()[s]; t < segments.starts()[s + 1]; t++) {
                    for (int h = 0; h < heads; h++) {
                        reference(segments.starts()[s], t, h);
                    }
                }
            }
        }

        private void reference(int start, int t, int h) {
            int kvHead = h * shape.kvHeads() / shape.heads();
            int firstKey = shape.window() == 0 ? start : Math.max(start, t - shape.window() + 1);
            var exponentials = new ArrayList<Integer>();
            int total = graph.leaf(sinks == null ? 0 : Math.exp(sinks.values()[h]));
            for (int key = firstKey; key <= t; key++) {
                int score = graph.dot(shape.headDim(), qNodes, (t * shape.heads() + h) * shape.headDim(), 1, kNodes,
                        (key * shape.kvHeads() + kvHead) * shape.headDim(), 1);
                int e = graph.exp(graph.scale(score, shape.scale()));
                exponentials.add(e);
                total = graph.add(total, e);
            }
            lseValues[t * shape.heads() + h] = Math.log(graph.value(total));
            for (int d = 0; d < shape.valueDim(); d++) {
                int sum = graph.leaf(0);
                for (int key = firstKey; key <= t; key++) {
                    sum = graph.fma(exponentials.get(key - firstKey),
                            vNodes[(key * shape.kvHeads() + kvHead) * shape.valueDim() + d], sum);
                }
                outNodes[(t * shape.heads() + h) * shape.valueDim() + d] = graph.div(sum, total);
            }
        }

        void forward() {
            world.poison(out);
            try (var scratch = world.scratch()) {
                world.backend().attention().forward(q.tensor(), k.tensor(), v.tensor(), segments, shape, out, lse, scratch);
            }
        }

        void backward() {
            world.poison(dq);
            world.poison(dk);
            world.poison(dv);
            try (var scratch = world.scratch()) {
                world.backend().attention().backward(dOut.tensor(), q.tensor(), k.tensor(), v.tensor(), out, lse, segments,
                        shape, dq, dk, dv, scratch);
            }
        }

        void assertForwardAndBackward() {
            forward();
            world.assertClose(out, graph.values(outNodes));
            world.assertClose(lse, lseValues);
            backward();
            double[] gradient = graph.backward(outNodes, dOut.values());
            world.assertClose(dv, Autograd.pick(gradient, vNodes));
            if (sinks != null || segments.longest() > 1 && shape.window() != 1) {
                world.assertClose(dq, Autograd.pick(gradient, qNodes));
                world.assertClose(dk, Autograd.pick(gradient, kNodes));
            } else {
                assertVanishing(dq);
                assertVanishing(dk);
            }
        }

        /// A query that sees one key and no sink has no gradient but rounding.
        private void assertVanishing(Tensor tensor) {
            world.assertWithin(tensor, new double[Math.toIntExact(tensor.elements())], 4 * world.tolerance());
        }
    }
}
