package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.contract.World.Twin;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.Pairing;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Rotary position embedding.
public interface RotaryContract extends Contract {
    int POSITIONS = 50;

    @ParameterizedTest
    @CsvSource({"HALVES,8,8", "HALVES,20,20", "HALVES,32,32", "HALVES,64,24", "HALVES,2,2",
        "INTERLEAVED,8,8", "INTERLEAVED,20,20", "INTERLEAVED,64,24", "INTERLEAVED,2,2"})
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
