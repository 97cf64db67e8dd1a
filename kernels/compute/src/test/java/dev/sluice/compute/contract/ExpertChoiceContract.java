package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.RouterOps.Choice;
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.RouterOps.Router;
import dev.sluice.compute.op.Routing;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Routers with what only some families have: sigmoid scores, biases, corrections, groups, scales.
public interface ExpertChoiceContract extends Contract {
    int HIDDEN = 24;

    @ParameterizedTest
    @CsvSource({"SIGMOID_TOPK,65,16,4,1,1,true", "SIGMOID_TOPK,40,24,3,4,2,true", "SIGMOID_TOPK,33,12,6,6,3,false",
        "SOFTMAX_TOPK,65,11,3,1,1,true", "SOFTMAX_TOPK,33,12,4,3,2,true", "SOFTMAX_TOPK,33,12,4,1,1,false"})
    default void choiceAndItsGradientMatchTheirReference(Kind kind, int tokens, int experts, int topK, int groups, int kept,
            boolean normalize) {
        try (var world = world(tokens + experts); var scratch = world.scratch()) {
            var routed = new Case(world, kind, new Choice(world.float32("correction", 0.3, experts).tensor(), groups, kept),
                    tokens, experts, topK, normalize, 0.01f, 0);
            world.backend().router().route(routed.x.tensor(), routed.router, routed.logits, routed.routing, scratch);
            routed.assertChoice();
            routed.assertGradient();
        }
    }

    /// Families differ in the precision of their logits: a float32 weight is multiplied in float32 whatever activations are in.
    @ParameterizedTest
    @CsvSource({"SIGMOID_TOPK,65,160,8,1,1", "SIGMOID_TOPK,130,256,8,8,4", "SOFTMAX_TOPK,64,64,6,1,1", "SOFTMAX_TOPK,3,5,2,1,1"})
    default void float32RouterKeepsItsLogits(Kind kind, int tokens, int experts, int topK, int groups, int kept) {
        try (var world = world(tokens * 5L + experts); var scratch = world.scratch()) {
            var routed = new Case(world, world.float32("router", 0.5, experts, HIDDEN), kind,
                    new Choice(world.float32("correction", 0.3, experts).tensor(), groups, kept), topK, true, 1e-20f, 0, tokens);
            world.backend().router().route(routed.x.tensor(), routed.router, routed.logits, routed.routing, scratch);
            world.assertWithin(routed.logits, routed.graph.values(routed.logitNodes), 2e-5);
            routed.assertChoice();
            routed.assertGradient();
        }
    }

    /// A sum below the floor is a constant: no gradient goes through it.
    @Test
    default void weightsAreDividedByNoLessThanTheFloor() {
        try (var world = world(3); var scratch = world.scratch()) {
            var routed = new Case(world, Kind.SOFTMAX_TOPK, Choice.PLAIN, 20, 8, 2, true, 0, 4);
            world.backend().router().route(routed.x.tensor(), routed.router, routed.logits, routed.routing, scratch);
            routed.assertChoice();
            routed.assertGradient();
        }
    }

    @Test
    default void groupsThatCannotHoldThePicksAreRefused() {
        try (var world = world(4)) {
            var weight = world.activations("router", 1, 12, HIDDEN).tensor();
            var error = assertThrows(IllegalArgumentException.class, () -> new Router(weight, null, Kind.SIGMOID_TOPK,
                    new Choice(null, 4, 1), 4, true, 0, 0, 1));
            assertTrue(error.getMessage().contains("4 groups, of which 1") && error.getMessage().contains("top_k 4"), error.getMessage());
        }
    }

    /// A router with everything, and its reference.
    final class Case {
        private static final float SCALE = 2.5f;

        final World world;
        final Twin x;
        final Router router;
        final Tensor logits;
        final Routing routing;
        private final int tokens;
        private final double[] correction;
        private final Autograd graph = new Autograd();
        private final int[] xNodes;
        private final int[] logitNodes;

        Case(World world, Kind kind, Choice choice, int tokens, int experts, int topK, boolean normalize, float epsilon, float floor) {
            this(world, world.activations("router", 0.5, experts, HIDDEN), kind, choice, topK, normalize, epsilon, floor, tokens);
        }

        Case(World world, Twin weight, Kind kind, Choice choice, int topK, boolean normalize, float epsilon, float floor, int tokens) {
            this.world = world;
            int experts = Math.toIntExact(weight.tensor().dim(0));
            this.tokens = tokens;
            x = world.activations("x", 1, tokens, HIDDEN);
            Twin bias = world.activations("bias", 1, experts);
            router = new Router(weight.tensor(), bias.tensor(), kind, choice, topK, normalize, epsilon, floor, SCALE);
            correction = choice.correction() == null ? new double[experts] : world.read(choice.correction());
            logits = world.poisoned("logits", DType.FLOAT32, tokens, experts);
            routing = RoutingTwin.poisoned(world, tokens, experts, topK);
            xNodes = graph.leaves(x.values());
            int[] products = graph.linear(xNodes, tokens, HIDDEN, graph.leaves(weight.values()), experts);
            int[] biases = graph.leaves(bias.values());
            logitNodes = IntStream.range(0, products.length).map(i -> graph.add(products[i], biases[i % experts])).toArray();
        }

        /// Picks from the backend's own logits, so that rounding in them decides nothing.
        void assertChoice() {
            world.assertClose(logits, graph.values(logitNodes));
            double[] found = world.read(logits);
            int experts = router.experts();
            int[] picks = world.readInts(routing.picks());
            for (int t = 0; t < tokens; t++) {
                int[] wanted = choice(scores(Arrays.copyOfRange(found, t * experts, (t + 1) * experts)));
                assertArrayEquals(wanted, Arrays.copyOfRange(picks, t * router.topK(), (t + 1) * router.topK()), "token " + t);
            }
            world.assertClose(routing.weights(), graph.values(weightNodes(picks)));
        }

        private double[] scores(double[] own) {
            double sum = Arrays.stream(own).map(Math::exp).sum();
            return Arrays.stream(own).map(l -> router.kind() == Kind.SIGMOID_TOPK ? 1 / (1 + Math.exp(-l)) : Math.exp(l) / sum)
                    .toArray();
        }

        private int[] choice(double[] scores) {
            int size = scores.length / router.choice().groups();
            double[] corrected = IntStream.range(0, scores.length).mapToDouble(e -> scores[e] + correction[e]).toArray();
            double[] sums = IntStream.range(0, router.choice().groups()).mapToDouble(g -> {
                double[] group = Arrays.stream(corrected, g * size, (g + 1) * size).sorted().toArray();
                return group[size - 1] + (size > 1 ? group[size - 2] : 0);
            }).toArray();
            int[] kept = best(sums, router.choice().keptGroups());
            double[] allowed = IntStream.range(0, scores.length).mapToDouble(e ->
                    Arrays.stream(kept).anyMatch(g -> g == e / size) ? corrected[e] : Double.NEGATIVE_INFINITY).toArray();
            return best(allowed, router.topK());
        }

        private static int[] best(double[] values, int count) {
            return IntStream.range(0, values.length).boxed().sorted(Comparator.comparingDouble((Integer i) -> -values[i]))
                    .limit(count).mapToInt(i -> i).toArray();
        }

        void assertGradient() {
            int topK = router.topK();
            int[] weights = weightNodes(world.readInts(routing.picks()));
            var dWeights = world.float32("dWeights", 1, tokens, topK);
            var dx = world.activations("dx", 1, tokens, HIDDEN);
            try (var scratch = world.scratch()) {
                world.backend().router().backward(dWeights.tensor(), logits, routing, router, dx.tensor(), Accumulate.ADD, scratch);
            }
            double[] gradient = graph.backward(weights, dWeights.values());
            world.assertClose(dx.tensor(), World.sum(dx.values(), Autograd.pick(gradient, xNodes)));
        }

        private int[] weightNodes(int[] picks) {
            int experts = router.experts();
            int topK = router.topK();
            int[] nodes = new int[picks.length];
            for (int t = 0; t < tokens; t++) {
                int[] own = Arrays.copyOfRange(logitNodes, t * experts, (t + 1) * experts);
                int[] scores = router.kind() == Kind.SOFTMAX_TOPK ? graph.softmax(own) : Arrays.stream(own).map(graph::sigmoid).toArray();
                int row = t * topK;
                int[] picked = IntStream.range(0, topK).map(k -> scores[picks[row + k]]).toArray();
                int sum = graph.add(graph.sum(picked), graph.leaf(router.epsilon()));
                int divisor = graph.clamp(sum, router.floor(), Double.POSITIVE_INFINITY);
                for (int k = 0; k < topK; k++) {
                    nodes[row + k] = graph.scale(router.normalize() ? graph.div(picked[k], divisor) : picked[k], SCALE);
                }
            }
            return nodes;
        }
    }
}
