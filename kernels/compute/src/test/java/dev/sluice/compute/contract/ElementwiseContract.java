package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.op.GatedActivation;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Operations that touch each element once.
public interface ElementwiseContract extends Contract {
    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"FLOAT32", "BFLOAT16", "FLOAT16"})
    default void embeddingCopiesTableRows(DType stored) {
        try (var world = world(1)) {
            double[] numbers = world.random().doubles(11 * 20, -2, 2).toArray();
            var table = world.given("table", stored, numbers, 11, 20);
            int[] ids = {10, 0, 3, 3, 7};
            var out = world.output("out", ids.length, 20);
            world.backend().elementwise().embed(world.ints("ids", ids, ids.length), table.tensor(), out);
            double[] wanted = IntStream.range(0, ids.length * 20).mapToDouble(i ->
                    Numbers.round(table.values()[ids[i / 20] * 20 + i % 20], backend().activationType())).toArray();
            assertArrayEquals(wanted, world.read(out));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 20_000})
    default void addMayOverwriteItsInput(int count) {
        try (var world = world(count)) {
            var left = world.activations("left", 1, count);
            var right = world.activations("right", 1, count);
            world.backend().elementwise().add(left.tensor(), right.tensor(), left.tensor());
            world.assertClose(left.tensor(), World.sum(left.values(), right.values()));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 1000})
    default void swigluAndItsGradientsMatchTheirReference(int width) {
        try (var world = world(width)) {
            var gate = world.activations("gate", 4, 3, width);
            var up = world.activations("up", 1, 3, width);
            var dOut = world.activations("dOut", 1, 3, width);
            var out = world.output("out", 3, width);
            var graph = new Autograd();
            int[] g = graph.leaves(gate.values());
            int[] u = graph.leaves(up.values());
            int[] y = IntStream.range(0, g.length).map(i -> graph.mul(graph.silu(g[i]), u[i])).toArray();
            world.backend().elementwise().gated(GatedActivation.SWIGLU, gate.tensor(), up.tensor(), out);
            world.assertClose(out, graph.values(y));
            world.backend().elementwise().gatedBackward(GatedActivation.SWIGLU, dOut.tensor(), gate.tensor(), up.tensor(), gate.tensor(), up.tensor());
            double[] gradient = graph.backward(y, dOut.values());
            world.assertClose(gate.tensor(), Autograd.pick(gradient, g));
            world.assertClose(up.tensor(), Autograd.pick(gradient, u));
        }
    }

    /// silu must not become NaN where exp overflows or vanishes.
    @Test
    default void swigluIsFiniteAtTheExtremes() {
        try (var world = world(2)) {
            double[] extremes = new double[48];
            Arrays.setAll(extremes, i -> (i % 2 == 0 ? 1 : -1) * Math.pow(10, i / 2 % 5));
            var gate = world.given("gate", world.backend().activationType(), extremes, 1, 48);
            double[] ones = new double[48];
            Arrays.fill(ones, 1);
            var up = world.given("up", world.backend().activationType(), ones, 1, 48);
            var out = world.output("out", 1, 48);
            world.backend().elementwise().gated(GatedActivation.SWIGLU, gate.tensor(), up.tensor(), out);
            world.assertClose(out, Arrays.stream(gate.values()).map(g -> g / (1 + Math.exp(-g))).toArray());
        }
    }

    @Test
    default void zeroClearsEveryByte() {
        try (var world = world(3)) {
            for (int count : new int[] {1, 17, 70_001}) {
                var tensor = world.output("tensor", count);
                world.backend().elementwise().zero(tensor);
                assertArrayEquals(new double[count], world.read(tensor));
            }
        }
    }

    @Test
    default void addNamesTheTensorThatDoesNotFit() {
        try (var world = world(4)) {
            var left = world.activations("left", 1, 4, 5).tensor();
            var right = world.activations("right", 1, 5, 4).tensor();
            var error = assertThrows(IllegalArgumentException.class, () -> world.backend().elementwise().add(left, right, left));
            assertTrue(error.getMessage().contains("add") && error.getMessage().contains("right"), error.getMessage());
        }
    }
}
