package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// AdamW over a flat arena.
public interface OptimizerContract extends Contract {
    /// Tensors of an arena begin at aligned addresses, devices round up to whole blocks, and sums of the norm lie beside them.
    long ROUNDING = 32 << 10;

    private static AdamW settings(double maxNorm, long step) {
        return new AdamW(1e-2, 0.9, 0.999, 1e-8, 0.1, maxNorm, step);
    }

    /// parameters, clip norm
    @ParameterizedTest
    @CsvSource({"1,Infinity", "17,1.0", "20000,0.5", "40001,1000000"})
    default void fiveStepsMatchTheirReference(int size, double maxNorm) {
        try (var world = world(size); var run = world.backend().scope(Lifetime.RUN, "adamw")) {
            var ops = world.backend().optimizer();
            var arena = ops.arena(run, size, OptimizerState.EXACT);
            double[] parameters = floats(world.random().doubles(size, -1, 1).toArray());
            write(arena, parameters);
            double[] mean = new double[size];
            double[] variance = new double[size];
            var norm = world.poisoned("norm", DType.FLOAT32, 1);
            for (int step = 1; step <= 5; step++) {
                var gradients = world.given("gradients", arena.gradients().dtype(), world.random().doubles(size, -1, 1).toArray(), size);
                world.upload(arena.gradients(), gradients.values());
                ops.update(arena, settings(maxNorm, step), norm);
                double wanted = reference(parameters, gradients.values(), mean, variance, settings(maxNorm, step));
                assertEquals(wanted, world.read(norm)[0], wanted * 1e-6);
            }
            double[] found = read(arena);
            for (int i = 0; i < size; i++) {
                assertEquals(parameters[i], found[i], 1e-5, "parameter " + i);
            }
            assertArrayEquals(new double[size], world.read(arena.gradients()));
        }
    }

    /// Returns the norm before clipping.
    private static double reference(double[] p, double[] gradients, double[] mean, double[] variance, AdamW s) {
        double norm = Math.sqrt(Arrays.stream(gradients).map(g -> g * g).sum());
        double clip = Math.min(1, s.maxNorm() / (norm + 1e-6));
        for (int i = 0; i < p.length; i++) {
            double g = gradients[i] * clip;
            mean[i] = s.beta1() * mean[i] + (1 - s.beta1()) * g;
            variance[i] = s.beta2() * variance[i] + (1 - s.beta2()) * g * g;
            double meanHat = mean[i] / (1 - Math.pow(s.beta1(), s.step()));
            double varianceHat = variance[i] / (1 - Math.pow(s.beta2(), s.step()));
            p[i] -= s.learningRate() * s.weightDecay() * p[i];
            p[i] -= s.learningRate() * meanHat / (Math.sqrt(varianceHat) + s.epsilon());
        }
        return norm;
    }

    @ParameterizedTest
    @CsvSource({"NaN,EXACT", "Infinity,EXACT", "-Infinity,EXACT", "NaN,LEAN", "Infinity,LEAN", "-Infinity,LEAN"})
    default void nonFiniteNormSkipsTheUpdate(double poison, OptimizerState state) {
        try (var world = world(1); var run = world.backend().scope(Lifetime.RUN, "adamw")) {
            var ops = world.backend().optimizer();
            var arena = ops.arena(run, 40, state);
            double[] parameters = floats(world.random().doubles(40, -1, 1).toArray());
            write(arena, parameters);
            double[] gradients = new double[40];
            gradients[33] = poison;
            world.upload(arena.gradients(), gradients);
            var norm = world.poisoned("norm", DType.FLOAT32, 1);
            ops.update(arena, settings(1, 1), norm);
            assertFalse(Double.isFinite(world.read(norm)[0]));
            assertArrayEquals(parameters, read(arena));
            assertArrayEquals(new double[40], world.read(arena.gradients()));
            arena.state().values().stream().skip(arena.state().size() - 2)
                    .forEach(moment -> assertArrayEquals(new double[(int) moment.elements()], world.read(moment), moment.name()));
        }
    }

    /// What a resumed run does: another arena, given the state, takes the same step to the bit.
    @ParameterizedTest
    @EnumSource
    default void stateCarriesEverythingThatTheNextStepNeeds(OptimizerState state) {
        try (var world = world(2); var run = world.backend().scope(Lifetime.RUN, "adamw")) {
            var ops = world.backend().optimizer();
            var original = ops.arena(run, 700, state);
            write(original, floats(world.random().doubles(700, -1, 1).toArray()));
            var norm = world.poisoned("norm", DType.FLOAT32, 1);
            step(world, original, 1, norm);
            var resumed = ops.arena(run, 700, state);
            assertEquals(List.copyOf(original.state().keySet()), List.copyOf(resumed.state().keySet()));
            original.state().forEach((name, tensor) -> world.upload(resumed.state().get(name), world.read(tensor)));
            step(world, original, 2, norm);
            step(world, resumed, 2, norm);
            assertArrayEquals(read(original), read(resumed));
        }
    }

    private static void step(World world, ParameterArena arena, int step, Tensor norm) {
        double[] gradients = new Random(step).doubles(arena.size(), -1, 1).toArray();
        world.upload(arena.gradients(), gradients);
        world.backend().optimizer().update(arena, settings(1, step), norm);
    }

    @ParameterizedTest
    @EnumSource
    default void arenaStartsWithoutGradientsAndTakesTheBytesItSays(OptimizerState state) {
        try (var world = world(3); var run = world.backend().scope(Lifetime.RUN, "adamw")) {
            int size = 100_077;
            var arena = world.backend().optimizer().arena(run, size, state);
            assertEquals(size, arena.size());
            assertArrayEquals(new double[size], world.read(arena.gradients()));
            long said = state.bytes(size, world.backend().activationType());
            assertTrue(run.bytes() >= said, run.bytes() + " bytes, said to be " + said);
            assertTrue(run.bytes() <= said + ROUNDING, run.bytes() + " bytes, said to be " + said);
        }
    }

    @Test
    default void gradientsOfALeanRunAreAsWideAsActivations() {
        try (var world = world(5); var run = world.backend().scope(Lifetime.RUN, "adamw")) {
            var ops = world.backend().optimizer();
            assertEquals(DType.FLOAT32, ops.arena(run, 9, OptimizerState.EXACT).gradients().dtype());
            assertEquals(world.backend().activationType(), ops.arena(run, 9, OptimizerState.LEAN).gradients().dtype());
        }
    }

    static double[] floats(double[] numbers) {
        return Arrays.stream(numbers).map(number -> (float) number).toArray();
    }

    static void write(ParameterArena arena, double[] parameters) {
        try (var host = Arena.ofConfined()) {
            arena.write(Numbers.encode(parameters, DType.FLOAT32, host));
        }
    }

    static double[] read(ParameterArena arena) {
        try (var host = Arena.ofConfined()) {
            MemorySegment memory = host.allocate(4 * arena.size(), 64);
            arena.read(memory);
            return Numbers.decode(memory, DType.FLOAT32);
        }
    }
}
