package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.RouterOps.Router;
import dev.sluice.compute.op.Routing;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Choosing experts.
public interface RouterContract extends Contract {
    int HIDDEN = 24;

    @ParameterizedTest
    @CsvSource({"1,1,1,true", "1,8,2,true", "65,16,4,true", "129,11,3,false", "64,128,8,true", "63,5,5,false", "128,4,1,true", "40,500,40,true",
        "33,1024,3,true"})
    default void routeMatchesItsReference(int tokens, int experts, int topK, boolean normalize) {
        try (var world = world(tokens + experts)) {
            var router = new Case(world, tokens, experts, topK, normalize);
            router.route();
            world.assertClose(router.logits, router.graph.values(router.logitNodes));
            int[] picks = world.readInts(router.routing.picks());
            for (int t = 0; t < tokens; t++) {
                router.assertPicks(t, Arrays.copyOfRange(picks, t * topK, (t + 1) * topK));
            }
            world.assertClose(router.routing.weights(), router.graph.values(router.weightNodes(picks)));
            router.assertTables(picks);
        }
    }

    @ParameterizedTest
    @CsvSource({"1,8,2,true", "65,16,4,true", "129,11,3,false", "128,4,2,true", "7,4,4,false", "20,500,40,false",
        "9,1024,33,true"})
    default void routerGradientMatchesItsReference(int tokens, int experts, int topK, boolean normalize) {
        try (var world = world(tokens * 3L + experts)) {
            var router = new Case(world, tokens, experts, topK, normalize);
            router.route();
            int[] weights = router.weightNodes(world.readInts(router.routing.picks()));
            var dWeights = world.float32("dWeights", 1, tokens, topK);
            var dx = world.activations("dx", 1, tokens, HIDDEN);
            router.replayLogits();
            try (var scratch = world.scratch()) {
                world.backend().router().backward(dWeights.tensor(), router.logits, router.routing, router.router, dx.tensor(),
                        Accumulate.ADD, scratch);
            }
            double[] gradient = router.graph.backward(weights, dWeights.values());
            world.assertClose(dx.tensor(), World.sum(dx.values(), Autograd.pick(gradient, router.xNodes)));
        }
    }

    @Test
    default void tiesGoToTheLowerExpert() {
        try (var world = world(1); var scratch = world.scratch()) {
            var weight = world.given("router", world.backend().activationType(), new double[6 * HIDDEN], 6, HIDDEN);
            var routing = RoutingTwin.poisoned(world, 3, 6, 4);
            world.backend().router().route(world.activations("x", 1, 3, HIDDEN).tensor(),
                    new Router(weight.tensor(), Kind.SOFTMAX_TOPK, 4, true), world.poisoned("logits", DType.FLOAT32, 3, 6),
                    routing, scratch);
            assertArrayEquals(new int[] {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}, world.readInts(routing.picks()));
            double[] quarters = new double[12];
            Arrays.fill(quarters, 0.25);
            world.assertClose(routing.weights(), quarters);
        }
    }

    /// A router and the reference of its logits.
    final class Case {
        final World world;
        final Router router;
        final Routing routing;
        final Tensor logits;
        final Autograd graph = new Autograd();
        final int[] xNodes;
        final int[] logitNodes;
        private final Twin x;
        private final int tokens;

        Case(World world, int tokens, int experts, int topK, boolean normalize) {
            this.world = world;
            this.tokens = tokens;
            x = world.activations("x", 1, tokens, HIDDEN);
            Twin weight = world.activations("router", 0.5, experts, HIDDEN);
            router = new Router(weight.tensor(), Kind.SOFTMAX_TOPK, topK, normalize);
            routing = RoutingTwin.poisoned(world, tokens, experts, topK);
            logits = world.poisoned("logits", DType.FLOAT32, tokens, experts);
            xNodes = graph.leaves(x.values());
            logitNodes = graph.linear(xNodes, tokens, HIDDEN, graph.leaves(weight.values()), experts);
        }

        void route() {
            try (var scratch = world.scratch()) {
                world.backend().router().route(x.tensor(), router, logits, routing, scratch);
            }
        }

        void replayLogits() {
            double[] before = world.read(logits);
            world.poison(logits);
            try (var scratch = world.scratch()) {
                world.backend().router().logits(x.tensor(), router, logits, scratch);
            }
            assertArrayEquals(before, world.read(logits));
        }

        /// The picks are the largest logits, largest first, but for differences that rounding can make.
        void assertPicks(int token, int[] picks) {
            int experts = router.experts();
            double[] own = graph.values(Arrays.copyOfRange(logitNodes, token * experts, (token + 1) * experts));
            double[] sorted = Arrays.stream(own).sorted().toArray();
            assertEquals(picks.length, Arrays.stream(picks).distinct().count(), "distinct experts");
            for (int k = 0; k < picks.length; k++) {
                assertTrue(Math.abs(own[picks[k]] - sorted[experts - 1 - k]) <= 100 * world.tolerance(),
                        "token " + token + " pick " + k + " is expert " + picks[k]);
            }
        }

        int[] weightNodes(int[] picks) {
            int experts = router.experts();
            int topK = router.topK();
            int[] nodes = new int[picks.length];
            for (int t = 0; t < tokens; t++) {
                int[] p = graph.softmax(Arrays.copyOfRange(logitNodes, t * experts, (t + 1) * experts));
                int row = t * topK;
                int[] picked = IntStream.range(0, topK).map(k -> p[picks[row + k]]).toArray();
                int sum = graph.sum(picked);
                for (int k = 0; k < topK; k++) {
                    nodes[row + k] = router.normalize() ? graph.div(picked[k], sum) : picked[k];
                }
            }
            return nodes;
        }

        /// Sorted by expert and within an expert by token, with rowOfPick the way back.
        void assertTables(int[] picks) {
            var wanted = RoutingTwin.of(world, picks, tokens, router.topK(), router.experts()).routing();
            assertArrayEquals(world.readInts(wanted.offsets()), world.readInts(routing.offsets()));
            assertArrayEquals(world.readInts(wanted.rowToken()), world.readInts(routing.rowToken()));
            assertArrayEquals(world.readInts(wanted.rowOfPick()), world.readInts(routing.rowOfPick()));
        }
    }
}
