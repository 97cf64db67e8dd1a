package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.RotaryOps.Angles;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.NormedHeads;
import dev.sluice.compute.op.RotaryOps.Pairing;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Rotary position embedding.
public interface RotaryContract extends Contract {
    int POSITIONS = 50;

    @ParameterizedTest
    @CsvSource({"HALVES,8,8", "HALVES,20,20", "HALVES,32,32", "HALVES,64,24", "HALVES,2,2", "HALVES,128,128", "HALVES,96,96", "HALVES,256,256", "HALVES,512,512", "HALVES,128,42",
        "INTERLEAVED,8,8", "INTERLEAVED,20,20", "INTERLEAVED,64,24", "INTERLEAVED,2,2", "INTERLEAVED,64,64", "INTERLEAVED,192,64"})
    default void rotationMatchesItsReferenceAndBackwardUndoesIt(Pairing pairing, int width, int rotated) {
        try (var world = world(width + rotated)) {
            int[] positions = {0, 1, 49, 3, 3, 17, 0};
            var x = world.activations("x", 1, positions.length, 3, width);
            Twin[] tables = tables(world, rotated / 2);
            var places = world.ints("positions", positions, positions.length);
            var ops = world.backend().rotary();
            ops.rotate(x.tensor(), places, tables[0].tensor(), tables[1].tensor(), pairing, Direction.FORWARD);
            world.assertClose(x.tensor(), reference(x.values(), positions, width, rotated / 2, tables, pairing));
            ops.rotate(x.tensor(), places, tables[0].tensor(), tables[1].tensor(), pairing, Direction.BACKWARD);
            world.assertClose(x.tensor(), x.values());
        }
    }

    private static Twin[] tables(World world, int pairs) {
        double[] cos = new double[POSITIONS * pairs];
        double[] sin = new double[POSITIONS * pairs];
        for (int i = 0; i < cos.length; i++) {
            double angle = i / pairs * Math.pow(10_000, -(double) (i % pairs) / pairs);
            cos[i] = Math.cos(angle);
            sin[i] = Math.sin(angle);
        }
        return new Twin[] {world.given("cos", DType.FLOAT32, cos, POSITIONS, pairs),
            world.given("sin", DType.FLOAT32, sin, POSITIONS, pairs)};
    }

    private static double[] reference(double[] x, int[] positions, int width, int pairs, Twin[] tables, Pairing pairing) {
        double[] y = x.clone();
        for (int row = 0; row < x.length / width; row++) {
            for (int i = 0; i < pairs; i++) {
                int first = row * width + (pairing == Pairing.HALVES ? i : 2 * i);
                int second = pairing == Pairing.HALVES ? first + pairs : first + 1;
                double cos = tables[0].values()[positions[row / 3] * pairs + i];
                double sin = tables[1].values()[positions[row / 3] * pairs + i];
                y[first] = x[first] * cos - x[second] * sin;
                y[second] = x[second] * cos + x[first] * sin;
            }
        }
        return y;
    }

    /// pairing, columns of a head, how many of them are rotated, query heads, key heads, tokens
    @ParameterizedTest
    @CsvSource({"HALVES,128,128,8,1,7", "HALVES,64,64,3,3,7", "HALVES,96,96,4,2,5", "HALVES,256,256,2,1,3", "HALVES,128,64,9,4,1",
        "HALVES,20,18,3,1,7", "HALVES,264,264,1,1,2", "HALVES,64,24,5,1,7", "HALVES,128,6,2,2,5", "HALVES,8,8,33,1,1", "HALVES,128,128,32,4,65",
        "INTERLEAVED,128,128,8,1,7", "INTERLEAVED,64,24,3,2,7", "INTERLEAVED,96,32,1,1,1", "INTERLEAVED,20,10,2,1,7",
        "INTERLEAVED,192,64,3,1,5"})
    default void normedRotationAndItsGradientMatchTheirReference(Pairing pairing, int width, int rotated, int heads, int kvHeads, int tokens) {
        try (var world = world(width + rotated + heads)) {
            int[] positions = IntStream.range(0, tokens).map(t -> t * 17 % POSITIONS).toArray();
            Twin[] tables = tables(world, rotated / 2);
            var angles = new Angles(world.ints("positions", positions, tokens), tables[0].tensor(), tables[1].tensor(), pairing);
            var query = new Normed(world, tables, positions, pairing, heads, width);
            var key = new Normed(world, tables, positions, pairing, kvHeads, width);
            var ops = world.backend().rotary();
            ops.normRotate(query.heads, query.rotated, key.heads, key.rotated, NormContract.EPSILON, angles);
            query.assertForward();
            key.assertForward();
            ops.normRotateBackward(query.heads, query.gradient.tensor(), key.heads, key.gradient.tensor(), angles);
            query.assertBackward();
            key.assertBackward();
        }
    }

    /// One of the two tensors, and what must become of it.
    final class Normed {
        private final World world;
        private final NormedHeads heads;
        private final Tensor rotated;
        private final Twin gradient;
        private final Autograd graph = new Autograd();
        private final int[] leaves;
        private final int[] outputs;

        Normed(World world, Twin[] tables, int[] positions, Pairing pairing, int count, int width) {
            this.world = world;
            int rows = positions.length * count;
            var x = world.activations("projected", 1, positions.length, count, width);
            var weight = world.activations("weight", 1, width);
            heads = new NormedHeads(x.tensor(), weight.tensor(), world.poisoned("rstd", DType.FLOAT32, rows));
            rotated = world.output("rotated", x.tensor().shape());
            gradient = world.activations("gradient", 1, x.tensor().shape());
            leaves = graph.leaves(x.values());
            outputs = NormContract.reference(graph, leaves, weight.values(), rows, width);
            for (int row = 0; row < rows; row++) {
                rotate(tables, positions[row / count], pairing, row * width);
            }
        }

        private void rotate(Twin[] tables, int position, Pairing pairing, int start) {
            int pairs = tables[0].values().length / POSITIONS;
            for (int i = 0; i < pairs; i++) {
                int first = start + (pairing == Pairing.HALVES ? i : 2 * i);
                int second = pairing == Pairing.HALVES ? first + pairs : first + 1;
                double cos = tables[0].values()[position * pairs + i];
                double sin = tables[1].values()[position * pairs + i];
                int a = outputs[first];
                int b = outputs[second];
                outputs[first] = graph.sub(graph.scale(a, cos), graph.scale(b, sin));
                outputs[second] = graph.add(graph.scale(b, cos), graph.scale(a, sin));
            }
        }

        void assertForward() {
            world.assertClose(rotated, graph.values(outputs));
        }

        void assertBackward() {
            world.assertClose(gradient.tensor(), Autograd.pick(graph.backward(outputs, gradient.values()), leaves));
        }
    }

    /// `<R x, y> = <x, R^T y>`: what makes BACKWARD the gradient even where the tables carry a factor.
    @Test
    default void backwardIsTheTransposeOfForward() {
        try (var world = world(5)) {
            var cos = world.float32("cos", 1, 4, 10);
            var sin = world.float32("sin", 1, 4, 10);
            var places = world.ints("positions", new int[] {2, 3}, 2);
            var x = world.activations("x", 1, 2, 2, 24);
            var y = world.activations("y", 1, 2, 2, 24);
            var ops = world.backend().rotary();
            ops.rotate(x.tensor(), places, cos.tensor(), sin.tensor(), Pairing.HALVES, Direction.FORWARD);
            ops.rotate(y.tensor(), places, cos.tensor(), sin.tensor(), Pairing.HALVES, Direction.BACKWARD);
            double forward = dot(world.read(x.tensor()), y.values());
            double backward = dot(x.values(), world.read(y.tensor()));
            assertTrue(Math.abs(forward - backward) <= world.tolerance() * 96, forward + " and " + backward);
        }
    }

    private static double dot(double[] left, double[] right) {
        double total = 0;
        for (int i = 0; i < left.length; i++) {
            total += left[i] * right[i];
        }
        return total;
    }

    @Test
    default void rotateNamesTablesThatAreTooWide() {
        try (var world = world(6)) {
            var x = world.activations("x", 1, 2, 2, 8).tensor();
            var wide = world.float32("wide", 1, 4, 5).tensor();
            var places = world.ints("positions", new int[] {2, 3}, 2);
            var error = assertThrows(IllegalArgumentException.class,
                    () -> world.backend().rotary().rotate(x, places, wide, wide, Pairing.HALVES, Direction.FORWARD));
            assertTrue(error.getMessage().contains("rotate") && error.getMessage().contains("wide"), error.getMessage());
        }
    }
}
