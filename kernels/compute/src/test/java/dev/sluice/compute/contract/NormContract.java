package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Root-mean-square normalisation.
public interface NormContract extends Contract {
    float EPSILON = 1e-6f;

    @ParameterizedTest
    @CsvSource({"1,1,1", "1,1,7", "3,4,16", "5,3,20", "65,1,129", "2,2,1000", "9,1,64", "7,1,128", "3,3,136", "5,1,512", "33,1,768", "3,1,1024", "5,1,2048", "2,1,2880", "3,1,4096", "1,1,8192",
        "2,1,8200"})
    default void rmsNormAndItsGradientMatchTheirReference(int tokens, int heads, int width) {
        try (var world = world(tokens + width)) {
            int rows = tokens * heads;
            var x = world.activations("x", 1, tokens, heads, width);
            var weight = world.activations("weight", 1, width);
            var dy = world.activations("dy", 1, tokens, heads, width);
            var y = world.output("y", tokens, heads, width);
            var rstd = world.poisoned("rstd", DType.FLOAT32, rows);
            var graph = new Autograd();
            int[] nodes = graph.leaves(x.values());
            int[] normed = reference(graph, nodes, weight.values(), rows, width);
            var ops = world.backend().norm();
            ops.rmsNorm(x.tensor(), weight.tensor(), EPSILON, y, rstd);
            world.assertClose(y, graph.values(normed));
            double[] gradient = Autograd.pick(graph.backward(normed, dy.values()), nodes);
            if (width > 1) {
                var dx = world.activations("dx", 1, tokens, heads, width);
                ops.rmsNormBackward(dy.tensor(), x.tensor(), weight.tensor(), rstd, dx.tensor(), Accumulate.ADD);
                world.assertClose(dx.tensor(), World.sum(dx.values(), gradient));
                ops.rmsNormBackward(dy.tensor(), x.tensor(), weight.tensor(), rstd, dy.tensor(), Accumulate.REPLACE);
                world.assertClose(dy.tensor(), gradient);
            }
        }
    }

    /// The norm is that of the rounded sum: what the backward pass reads.
    @ParameterizedTest
    @CsvSource({"1,7", "5,20", "3,128", "65,129", "33,768", "5,2048", "2,2880", "1,8192"})
    default void sumIsNormalisedAsItIsStored(int rows, int width) {
        try (var world = world(rows + width)) {
            var x = world.activations("x", 1, rows, width);
            var added = world.activations("added", 1, rows, width);
            var weight = world.activations("weight", 1, width);
            var sum = world.output("sum", rows, width);
            var y = world.output("y", rows, width);
            var ops = world.backend().norm();
            ops.addRmsNorm(x.tensor(), added.tensor(), weight.tensor(), EPSILON, sum, y, world.poisoned("rstd", DType.FLOAT32, rows));
            world.assertClose(sum, World.sum(x.values(), added.values()));
            var graph = new Autograd();
            double[] normed = graph.values(reference(graph, graph.leaves(world.read(sum)), weight.values(), rows, width));
            world.assertClose(y, normed);
            ops.addRmsNorm(x.tensor(), added.tensor(), weight.tensor(), EPSILON, x.tensor(), y, world.poisoned("rstd", DType.FLOAT32, rows));
            world.assertClose(y, normed);
            world.assertClose(x.tensor(), World.sum(x.values(), added.values()));
        }
    }

    static int[] reference(Autograd graph, int[] x, double[] weight, int rows, int width) {
        int[] y = new int[x.length];
        for (int r = 0; r < rows; r++) {
            int squares = graph.dot(width, x, r * width, 1, x, r * width, 1);
            int root = graph.sqrt(graph.add(graph.scale(squares, 1.0 / width), graph.leaf(EPSILON)));
            for (int i = 0; i < width; i++) {
                y[r * width + i] = graph.scale(graph.div(x[r * width + i], root), weight[i]);
            }
        }
        return y;
    }

    @Test
    default void rmsNormMayOverwriteItsInput() {
        try (var world = world(1)) {
            var x = world.activations("x", 1, 9, 40);
            var weight = world.activations("weight", 1, 40);
            var graph = new Autograd();
            int[] normed = reference(graph, graph.leaves(x.values()), weight.values(), 9, 40);
            world.backend().norm().rmsNorm(x.tensor(), weight.tensor(), EPSILON, x.tensor(), world.poisoned("rstd", DType.FLOAT32, 9));
            world.assertClose(x.tensor(), graph.values(normed));
        }
    }

    @Test
    default void rowOfZerosStaysZero() {
        try (var world = world(2)) {
            var x = world.given("x", world.backend().activationType(), new double[40], 1, 40);
            var y = world.output("y", 1, 40);
            world.backend().norm().rmsNorm(x.tensor(), world.activations("weight", 1, 40).tensor(), EPSILON, y,
                    world.poisoned("rstd", DType.FLOAT32, 1));
            world.assertClose(y, IntStream.range(0, 40).mapToDouble(_ -> 0).toArray());
        }
    }

    @Test
    default void rmsNormNamesTheWeightThatDoesNotFit() {
        try (var world = world(3)) {
            var x = world.activations("x", 1, 2, 40).tensor();
            var weight = world.activations("narrow", 1, 39).tensor();
            var rstd = world.poisoned("rstd", DType.FLOAT32, 2);
            var error = assertThrows(IllegalArgumentException.class,
                    () -> world.backend().norm().rmsNorm(x, weight, EPSILON, x, rstd));
            assertTrue(error.getMessage().contains("rms norm") && error.getMessage().contains("narrow"), error.getMessage());
        }
    }
}
