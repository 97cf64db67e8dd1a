package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World.LoraTwin;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.GatedActivation;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Routed feed-forward layers with split LoRA.
public interface ExpertContract extends Contract {
    @ParameterizedTest
    @CsvSource({"1,1,1,4", "1,3,5,4", "63,2,4,8", "64,2,4,16", "65,2,4,16", "127,1,3,32", "128,3,11,4", "129,2,2,64", "40,4,16,0"})
    default void expertsMatchTheirReference(int tokens, int topK, int experts, int rank) {
        try (var world = world(tokens * 100L + rank)) {
            var layer = new Case(world, RoutingTwin.random(world, tokens, topK, experts, 0, experts), experts, rank, rank);
            layer.assertForwardAndBackward();
        }
    }

    @ParameterizedTest
    @CsvSource({"65,2,4,16", "129,2,2,64", "63,2,4,5"})
    default void expertsAddToTheGradientsOfALeanRun(int tokens, int topK, int experts, int rank) {
        try (var world = world(tokens * 100L + rank).withLeanGradients()) {
            var layer = new Case(world, RoutingTwin.random(world, tokens, topK, experts, 0, experts), experts, rank, rank);
            layer.assertForwardAndBackward();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 65, 700})
    default void oneExpertMayTakeEveryRow(int tokens) {
        try (var world = world(tokens)) {
            var layer = new Case(world, RoutingTwin.random(world, tokens, 1, 4, 2, 3), 4, 8, 8);
            layer.assertForwardAndBackward();
        }
    }

    @Test
    default void emptyExpertLeavesItsGradientAsItWas() {
        try (var world = world(3)) {
            var layer = new Case(world, RoutingTwin.random(world, 70, 2, 6, 1, 5), 6, 8, 8);
            layer.assertForwardAndBackward();
            double[] gradient = world.read(layer.gateUpLora.gradA().tensor());
            int size = gradient.length / 6;
            for (int empty : new int[] {0, 5}) {
                assertArrayEquals(Arrays.copyOfRange(layer.gateUpLora.gradA().values(), empty * size, (empty + 1) * size),
                        Arrays.copyOfRange(gradient, empty * size, (empty + 1) * size));
            }
        }
    }

    @Test
    default void oneProjectionMayHaveAnAdapterAlone() {
        try (var world = world(4)) {
            new Case(world, RoutingTwin.random(world, 33, 2, 4, 0, 4), 4, 8, 0).assertForwardAndBackward();
            new Case(world, RoutingTwin.random(world, 33, 2, 4, 0, 4), 4, 0, 8).assertForwardAndBackward();
        }
    }

    @ParameterizedTest
    @CsvSource({"SWIGLU,70", "CLAMPED_SWIGLU,70", "CLAMPED_SWIGLU,1", "GEGLU,70"})
    default void expertsMayHaveBiasesAndOtherActivations(GatedActivation activation, int tokens) {
        try (var world = world(tokens + activation.ordinal())) {
            var layer = new Case(world, RoutingTwin.random(world, tokens, 2, 5, 0, 5), 5, 8, 8, activation, true);
            layer.assertForwardAndBackward();
        }
    }

    /// Sizes that suit no vector load.
    @ParameterizedTest
    @CsvSource({"20,12,SWIGLU,8", "36,10,GEGLU,4", "33,7,CLAMPED_SWIGLU,3", "24,20,BILINEAR,0"})
    default void expertsMayHaveAnySize(int hidden, int width, GatedActivation activation, int rank) {
        try (var world = world(hidden * 100L + width)) {
            new Case(world, RoutingTwin.random(world, 70, 2, 5, 0, 5), 5, rank, rank, activation, true, hidden, width)
                    .assertForwardAndBackward();
        }
    }

    @Test
    default void zeroRoutingWeightStillHasItsGradient() {
        try (var world = world(5)) {
            var routing = RoutingTwin.random(world, 20, 2, 4, 0, 4);
            Arrays.fill(routing.weights().values(), 0, 10, 0);
            world.upload(routing.weights().tensor(), routing.weights().values());
            new Case(world, routing, 4, 8, 8).assertForwardAndBackward();
        }
    }

    @Test
    default void expertsAddToAnEarlierResult() {
        try (var world = world(6)) {
            var layer = new Case(world, RoutingTwin.random(world, 33, 2, 4, 0, 4), 4, 8, 8);
            var before = world.activations("before", 1, 33, Case.HIDDEN);
            world.upload(layer.out, before.values());
            world.upload(layer.dx, before.values());
            layer.forward(Accumulate.ADD);
            world.assertClose(layer.out, World.sum(before.values(), layer.graph.values(layer.outNodes)));
            layer.backward(Accumulate.ADD);
            double[] gradient = layer.graph.backward(layer.outNodes, layer.dOut.values());
            world.assertClose(layer.dx, World.sum(before.values(), Autograd.pick(gradient, layer.xNodes)));
        }
    }

    @Test
    default void expertsGiveTheSameBitsTwice() {
        try (var world = world(8)) {
            var layer = new Case(world, RoutingTwin.random(world, 700, 2, 3, 0, 3), 3, 8, 8);
            layer.forward(Accumulate.REPLACE);
            layer.backward(Accumulate.REPLACE);
            double[] out = world.read(layer.out);
            double[] gradB = world.read(layer.downLora.gradB().tensor());
            world.upload(layer.downLora.gradB().tensor(), layer.downLora.gradB().values());
            layer.forward(Accumulate.REPLACE);
            layer.backward(Accumulate.REPLACE);
            assertArrayEquals(out, world.read(layer.out));
            assertArrayEquals(gradB, world.read(layer.downLora.gradB().tensor()));
        }
    }

    @ParameterizedTest
    @CsvSource({"1,4,8,8", "129,4,8,0", "129,4,0,8", "300,3,16,16"})
    default void recomputedGateUpHasTheForwardPassesBits(int tokens, int experts, int gateUpRank, int downRank) {
        try (var world = world(tokens + gateUpRank); var scratch = world.scratch()) {
            var layer = new Case(world, RoutingTwin.random(world, tokens, 2, experts, 0, experts), experts, gateUpRank, downRank);
            layer.forward(Accumulate.REPLACE);
            double[] gateUp = world.read(layer.tape.gateUp());
            world.poison(layer.tape.gateUp());
            world.backend().experts().recompute(layer.x.tensor(), layer.routing.routing(), layer.experts, layer.tape, scratch);
            assertArrayEquals(gateUp, world.read(layer.tape.gateUp()));
            layer.assertBackward();
        }
    }

    @Test
    default void routingThatWasNeverWrittenIsRefused() {
        try (var world = world(10); var scratch = world.scratch()) {
            var layer = new Case(world, RoutingTwin.random(world, 20, 2, 4, 0, 4), 4, 8, 8);
            world.poison(layer.routing.routing().offsets());
            assertThrows(RuntimeException.class, () -> {
                world.backend().experts().forward(layer.x.tensor(), layer.routing.routing(), layer.experts, layer.tape, layer.out,
                        Accumulate.REPLACE, scratch);
                world.backend().synchronize();
            });
        }
    }

    /// W + BA of one stack would double the bytes that grow with experts; nothing here may grow with them.
    @Test
    default void memoryDoesNotGrowWithExperts() {
        long few = peakBytes(4);
        long many = peakBytes(256);
        long oneStack = 256L * 2 * Case.WIDTH * Case.HIDDEN * backend().activationType().bytes();
        assertTrue(many - few < oneStack / 16, "4 experts peaked at " + few + " bytes, 256 at " + many
                + "; their gate_up weights are " + oneStack);
    }

    private long peakBytes(int experts) {
        try (var world = world(9); var scratch = world.scratch()) {
            var layer = new Case(world, RoutingTwin.random(world, 128, 2, experts, 0, experts), experts, 4, 4);
            var ops = backend().experts();
            ops.forward(layer.x.tensor(), layer.routing.routing(), layer.experts, layer.tape, layer.out, Accumulate.REPLACE, scratch);
            ops.backward(layer.dOut.tensor(), layer.x.tensor(), layer.routing.routing(), layer.experts, layer.tape, layer.dx,
                    Accumulate.REPLACE, layer.dWeights, scratch);
            backend().synchronize();
            return scratch.peakBytes();
        }
    }

    /// A layer of experts and its reference, computed forward.
    final class Case {
        static final int HIDDEN = 24;
        static final int WIDTH = 16;
        private static final double SCALE = 2;

        final World world;
        final int hidden;
        final int width;
        final RoutingTwin routing;
        final Twin x;
        final Twin dOut;
        final LoraTwin gateUpLora;
        final LoraTwin downLora;
        final Experts experts;
        final Tape tape;
        final Tensor out;
        final Tensor dx;
        final Tensor dWeights;
        final Autograd graph = new Autograd();
        final int[] xNodes;
        final int[] outNodes;
        private final int[] weightNodes;
        private final int[] gateUpA;
        private final int[] gateUpB;
        private final int[] downA;
        private final int[] downB;
        private final int[] gateUpBias;
        private final int[] downBias;

        Case(World world, RoutingTwin routing, int count, int gateUpRank, int downRank) {
            this(world, routing, count, gateUpRank, downRank, GatedActivation.SWIGLU, false);
        }

        Case(World world, RoutingTwin routing, int count, int gateUpRank, int downRank, GatedActivation activation, boolean biased) {
            this(world, routing, count, gateUpRank, downRank, activation, biased, HIDDEN, WIDTH);
        }

        Case(World world, RoutingTwin routing, int count, int gateUpRank, int downRank, GatedActivation activation, boolean biased,
                int hidden, int width) {
            this.world = world;
            this.hidden = hidden;
            this.width = width;
            this.routing = routing;
            x = world.activations("x", 1, routing.tokens(), hidden);
            dOut = world.activations("dOut", 1, routing.tokens(), hidden);
            Twin gateUp = world.activations("gateUp", 0.3, count, 2 * width, hidden);
            Twin down = world.activations("down", 0.3, count, hidden, width);
            gateUpLora = gateUpRank == 0 ? null : world.lora("gateUpLora", gateUpRank, 2 * width, hidden, SCALE, count);
            downLora = downRank == 0 ? null : world.lora("downLora", downRank, hidden, width, SCALE, count);
            Twin upperBias = biased ? world.given("gateUpBias", world.backend().activationType(), biases(activation, count * 2 * width), count, 2 * width) : null;
            Twin lowerBias = biased ? world.activations("downBias", 1, count, hidden) : null;
            experts = new Experts(new Weight.Dense(gateUp.tensor()), new Weight.Dense(down.tensor()),
                    biased ? upperBias.tensor() : null, biased ? lowerBias.tensor() : null, activation,
                    gateUpLora == null ? null : gateUpLora.lora(), downLora == null ? null : downLora.lora());
            int rows = routing.tokens() * routing.topK();
            tape = new Tape(world.output("tape", rows, 2 * width), gateUpRank == 0 ? null : world.output("z1", rows, gateUpRank),
                    downRank == 0 ? null : world.output("z2", rows, downRank));
            out = world.output("out", routing.tokens(), hidden);
            dx = world.output("dx", routing.tokens(), hidden);
            dWeights = world.poisoned("dWeights", DType.FLOAT32, routing.tokens(), routing.topK());
            xNodes = graph.leaves(x.values());
            weightNodes = graph.leaves(routing.weights().values());
            gateUpA = nodes(gateUpLora, true);
            gateUpB = nodes(gateUpLora, false);
            downA = nodes(downLora, true);
            downB = nodes(downLora, false);
            gateUpBias = graph.leaves(biased ? upperBias.values() : new double[count * 2 * width]);
            downBias = graph.leaves(biased ? lowerBias.values() : new double[count * hidden]);
            outNodes = reference(graph.leaves(gateUp.values()), graph.leaves(down.values()), gateUpRank, downRank);
        }

        /// Small ones, and where there are clamps ones that lead far beyond them: at a clamp the derivative jumps, so that a
        /// rounding there would count for more than it is.
        private double[] biases(GatedActivation activation, int count) {
            double far = activation == GatedActivation.CLAMPED_SWIGLU ? 20 : 5;
            return world.random().doubles(count, -1, 1).map(d -> Math.abs(d) < 0.6 ? d : far * Math.signum(d)).toArray();
        }

        private int[] nodes(LoraTwin lora, boolean first) {
            return lora == null ? new int[0] : graph.leaves(first ? lora.a().values() : lora.b().values());
        }

        /// Token by token, pick by pick, as the formula reads.
        private int[] reference(int[] gateUp, int[] down, int gateUpRank, int downRank) {
            int[] result = new int[routing.tokens() * hidden];
            for (int t = 0; t < routing.tokens(); t++) {
                int[] token = Arrays.copyOfRange(xNodes, t * hidden, (t + 1) * hidden);
                int[] total = graph.leaves(new double[hidden]);
                for (int k = 0; k < routing.topK(); k++) {
                    int e = routing.picks()[t * routing.topK() + k];
                    int[] h = linear(token, gateUp, gateUpA, gateUpB, e, 2 * width, hidden, gateUpRank);
                    int[] act = new int[width];
                    for (int i = 0; i < width; i++) {
                        act[i] = graph.gated(experts.activation(), graph.add(h[i], gateUpBias[e * 2 * width + i]),
                                graph.add(h[width + i], gateUpBias[(e * 2 + 1) * width + i]));
                    }
                    int[] y = linear(act, down, downA, downB, e, hidden, width, downRank);
                    for (int i = 0; i < hidden; i++) {
                        total[i] = graph.fma(weightNodes[t * routing.topK() + k], graph.add(y[i], downBias[e * hidden + i]), total[i]);
                    }
                }
                System.arraycopy(total, 0, result, t * hidden, hidden);
            }
            return result;
        }

        private int[] linear(int[] row, int[] w, int[] a, int[] b, int e, int outWidth, int inWidth, int rank) {
            int[] y = new int[outWidth];
            int[] z = new int[rank];
            for (int j = 0; j < rank; j++) {
                z[j] = graph.scale(graph.dot(inWidth, row, 0, 1, a, (e * rank + j) * inWidth, 1), SCALE);
            }
            for (int o = 0; o < outWidth; o++) {
                y[o] = graph.add(graph.dot(inWidth, row, 0, 1, w, (e * outWidth + o) * inWidth, 1),
                        graph.dot(rank, z, 0, 1, b, (e * outWidth + o) * rank, 1));
            }
            return y;
        }

        void forward(Accumulate mode) {
            try (var scratch = world.scratch()) {
                world.backend().experts().forward(x.tensor(), routing.routing(), experts, tape, out, mode, scratch);
            }
        }

        void backward(Accumulate mode) {
            try (var scratch = world.scratch()) {
                world.backend().experts().backward(dOut.tensor(), x.tensor(), routing.routing(), experts, tape, dx, mode,
                        dWeights, scratch);
            }
        }

        void assertForwardAndBackward() {
            forward(Accumulate.REPLACE);
            world.assertClose(out, graph.values(outNodes));
            assertBackward();
        }

        void assertBackward() {
            backward(Accumulate.REPLACE);
            double[] gradient = graph.backward(outNodes, dOut.values());
            world.assertClose(dx, Autograd.pick(gradient, xNodes));
            world.assertClose(dWeights, Autograd.pick(gradient, weightNodes));
            assertGradients(gateUpLora, gradient, gateUpA, gateUpB);
            assertGradients(downLora, gradient, downA, downB);
        }

        private void assertGradients(LoraTwin lora, double[] gradient, int[] a, int[] b) {
            if (lora != null) {
                world.assertClose(lora.gradA().tensor(), World.sum(lora.gradA().values(), Autograd.pick(gradient, a)));
                world.assertClose(lora.gradB().tensor(), World.sum(lora.gradB().values(), Autograd.pick(gradient, b)));
            }
        }
    }
}
