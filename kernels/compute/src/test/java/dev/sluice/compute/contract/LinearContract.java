package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World.LoraTwin;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.LinearOps.Branch;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Frozen products with split LoRA.
public interface LinearContract extends Contract {
    double SCALE = 1.5;

    @ParameterizedTest
    @CsvSource({"1,24,40,4", "63,33,17,8", "64,32,64,16", "65,48,24,64", "127,16,16,16", "128,40,8,32", "129,56,72,16",
        "300,24,40,5", "2,300,520,16", "1,24,40,0", "129,33,17,0"})
    default void linearWithLoraMatchesItsReference(int rows, int in, int out, int rank) {
        try (var world = world(rows + rank)) {
            var layer = new Case(world, rows, in, out, rank, true);
            layer.forward();
            world.assertClose(layer.y, layer.graph.values(layer.yNodes));
            double[] gradient = layer.backward(Accumulate.REPLACE);
            world.assertClose(layer.dx, Autograd.pick(gradient, layer.xNodes));
            layer.assertAdapterGradients(gradient);
        }
    }

    @ParameterizedTest
    @CsvSource({"65,48,24,64", "128,40,8,32", "300,24,40,5", "700,200,136,16"})
    default void linearAddsToTheGradientsOfALeanRun(int rows, int in, int out, int rank) {
        try (var world = world(rows + rank).withLeanGradients()) {
            var layer = new Case(world, rows, in, out, rank, false);
            layer.forward();
            layer.assertAdapterGradients(layer.backward(Accumulate.REPLACE));
        }
    }

    @Test
    default void linearBackwardAddsToAnEarlierGradient() {
        try (var world = world(7)) {
            var layer = new Case(world, 65, 24, 40, 8, false);
            layer.forward();
            var before = world.activations("before", 1, 65, 24);
            world.upload(layer.dx, before.values());
            double[] gradient = layer.backward(Accumulate.ADD);
            world.assertClose(layer.dx, World.sum(before.values(), Autograd.pick(gradient, layer.xNodes)));
        }
    }

    @Test
    default void linearBackwardWithoutInputGradientStillTrainsTheAdapter() {
        try (var world = world(8); var scratch = world.scratch()) {
            var layer = new Case(world, 65, 24, 40, 8, false);
            layer.forward();
            world.backend().linear().backward(layer.dy.tensor(), layer.x.tensor(), layer.z, layer.linear, null,
                    Accumulate.REPLACE, scratch);
            layer.assertAdapterGradients(layer.graph.backward(layer.yNodes, layer.dy.values()));
        }
    }

    /// rows, in, widths of the layers, ranks
    @ParameterizedTest
    @CsvSource({"1,24,40 8,4 0", "63,64,64 128 72,8 16 0", "300,72,256 64 64,16 16 24", "129,128,64 64 64 64 64,8 8 8 8 8", "65,33,17 40,8 5"})
    default void layersOfOneInputAddUpInItsGradient(int rows, int in, String widths, String ranks) {
        try (var world = world(rows + 1); var scratch = world.scratch()) {
            var graph = new Autograd();
            var x = world.activations("x", 1, rows, in);
            int[] nodes = graph.leaves(x.values());
            var outs = numbers(widths);
            var rank = numbers(ranks);
            var layers = IntStream.range(0, outs.length).mapToObj(i -> new Case(world, x, graph, nodes, outs[i], rank[i], i != 1)).toList();
            var linear = world.backend().linear();
            layers.forEach(layer -> world.poison(layer.y));
            linear.forward(x.tensor(), layers.stream().map(layer -> new Branch(layer.linear, layer.z, layer.y)).toList(), scratch);
            layers.forEach(layer -> world.assertClose(layer.y, graph.values(layer.yNodes)));
            var dx = world.output("dx", rows, in);
            linear.backward(x.tensor(), layers.stream().map(layer -> new Branch(layer.linear, layer.z, layer.dy.tensor())).toList(), dx,
                    Accumulate.REPLACE, scratch);
            double[] gradient = graph.backward(layers.stream().flatMapToInt(layer -> Arrays.stream(layer.yNodes)).toArray(),
                    layers.stream().flatMapToDouble(layer -> Arrays.stream(layer.dy.values())).toArray());
            world.assertClose(dx, Autograd.pick(gradient, nodes));
            layers.forEach(layer -> layer.assertAdapterGradients(gradient));
        }
    }

    private static int[] numbers(String words) {
        return Arrays.stream(words.split(" ")).mapToInt(Integer::parseInt).toArray();
    }

    @Test
    default void linearGivesTheSameBitsTwice() {
        try (var world = world(9)) {
            var first = new Case(world, 200, 72, 56, 16, true);
            first.forward();
            first.backward(Accumulate.REPLACE);
            double[] y = world.read(first.y);
            double[] dx = world.read(first.dx);
            first.forward();
            first.backward(Accumulate.REPLACE);
            assertArrayEquals(y, world.read(first.y));
            assertArrayEquals(dx, world.read(first.dx));
        }
    }

    @ParameterizedTest
    @CsvSource({"1,24,40,4", "129,56,72,16", "300,24,40,0"})
    default void recomputedProductHasTheForwardPassesBits(int rows, int in, int out, int rank) {
        try (var world = world(rows + rank); var scratch = world.scratch()) {
            var layer = new Case(world, rows, in, out, rank, true);
            layer.forward();
            double[] y = world.read(layer.y);
            world.poison(layer.y);
            world.backend().linear().recompute(layer.x.tensor(), layer.linear, layer.z, layer.y, scratch);
            assertArrayEquals(y, world.read(layer.y));
        }
    }

    @Test
    default void linearNamesTheTensorThatDoesNotFit() {
        try (var world = world(10); var scratch = world.scratch()) {
            var layer = new Case(world, 4, 24, 40, 8, false);
            var narrow = world.output("narrow", 4, 39);
            var error = assertThrows(IllegalArgumentException.class,
                    () -> world.backend().linear().forward(layer.x.tensor(), layer.linear, layer.z, narrow, scratch));
            assertTrue(error.getMessage().contains("linear forward") && error.getMessage().contains("narrow")
                    && error.getMessage().contains("[4, 40]"), error.getMessage());
        }
    }

    /// One layer with its reference already computed forward.
    final class Case {
        final World world;
        final Twin x;
        final Twin dy;
        final LoraTwin lora;
        final Linear linear;
        final Tensor z;
        final Tensor y;
        final Tensor dx;
        final Autograd graph;
        final int[] xNodes;
        final int[] aNodes;
        final int[] bNodes;
        final int[] yNodes;

        Case(World world, int rows, int in, int out, int rank, boolean withBias) {
            this(world, world.activations("x", 1, rows, in), new Autograd(), null, out, rank, withBias);
        }

        /// @param nodes those of x in the graph, or null where it has none yet
        Case(World world, Twin x, Autograd graph, int[] nodes, int out, int rank, boolean withBias) {
            int rows = Math.toIntExact(x.tensor().dim(0));
            int in = Math.toIntExact(x.tensor().dim(1));
            this.world = world;
            this.x = x;
            this.graph = graph;
            dy = world.activations("dy", 1, rows, out);
            Twin weight = world.activations("weight", 1 / Math.sqrt(in), out, in);
            Twin bias = withBias ? world.activations("bias", 1, out) : null;
            lora = rank == 0 ? null : world.lora("lora", rank, out, in, SCALE);
            linear = new Linear(new Weight.Dense(weight.tensor()), bias == null ? null : bias.tensor(),
                    lora == null ? null : lora.lora());
            z = rank == 0 ? null : world.output("z", rows, rank);
            y = world.output("y", rows, out);
            dx = world.output("dx", rows, in);
            xNodes = nodes == null ? graph.leaves(x.values()) : nodes;
            int[] result = graph.linear(xNodes, rows, in, graph.leaves(weight.values()), out);
            aNodes = lora == null ? new int[0] : graph.leaves(lora.a().values());
            bNodes = lora == null ? new int[0] : graph.leaves(lora.b().values());
            if (lora != null) {
                int[] low = graph.linear(graph.linear(xNodes, rows, in, aNodes, rank), rows, rank, bNodes, out);
                for (int i = 0; i < result.length; i++) {
                    result[i] = graph.add(result[i], graph.scale(low[i], SCALE));
                }
            }
            for (int i = 0; bias != null && i < result.length; i++) {
                result[i] = graph.add(result[i], graph.leaf(bias.values()[i % out]));
            }
            yNodes = result;
        }

        void forward() {
            world.poison(y);
            try (var scratch = world.scratch()) {
                world.backend().linear().forward(x.tensor(), linear, z, y, scratch);
            }
        }

        /// Returns the reference's gradient.
        double[] backward(Accumulate mode) {
            if (mode == Accumulate.REPLACE) {
                world.poison(dx);
            }
            try (var scratch = world.scratch()) {
                world.backend().linear().backward(dy.tensor(), x.tensor(), z, linear, dx, mode, scratch);
            }
            return graph.backward(yNodes, dy.values());
        }

        void assertAdapterGradients(double[] gradient) {
            if (lora != null) {
                world.assertClose(lora.gradA().tensor(), World.sum(lora.gradA().values(), Autograd.pick(gradient, aNodes)));
                world.assertClose(lora.gradB().tensor(), World.sum(lora.gradB().values(), Autograd.pick(gradient, bNodes)));
            }
        }
    }
}
