package dev.sluice.compute.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import java.util.Arrays;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// AdamW whose moments take one byte each.
public interface LeanOptimizerContract extends Contract {
    double RATE = 1e-2;

    /// Rounding differs where float32 and float64 fall on two sides of a threshold: once in thousands, by one code.
    ///
    /// @param size parameters
    /// @param maxNorm to clip to
    @ParameterizedTest
    @CsvSource({"1,Infinity", "17,1.0", "256,3", "257,Infinity", "20000,0.5", "40001,1000000"})
    default void leanStepsMatchTheirReference(int size, double maxNorm) {
        try (var run = new Run(world(size), size)) {
            double[] start = OptimizerContract.floats(run.world.random().doubles(size, -1, 1).toArray());
            OptimizerContract.write(run.arena, start);
            var reference = new LeanReference(start);
            for (int step = 1; step <= 6; step++) {
                var settings = new AdamW(RATE, 0.9, 0.999, 1e-8, 0.1, maxNorm, step);
                reference.step(run.step(settings, _ -> run.world.random().nextGaussian()), settings);
            }
            double[] found = OptimizerContract.read(run.arena);
            int astray = 0;
            for (int i = 0; i < size; i++) {
                double difference = Math.abs(reference.parameters()[i] - found[i]);
                assertTrue(difference <= 0.1 * RATE, "parameter " + i + " is " + found[i] + ", should be " + reference.parameters()[i]);
                astray += difference > 1e-5 ? 1 : 0;
            }
            assertTrue(astray <= size / 200, astray + " of " + size + " parameters were rounded another way");
        }
    }

    /// Every parameter of a block has a constant gradient of its own size, over seven decades: Adam moves each by the learning
    /// rate. Lean moments move those of the upper decades so on average, each with an error of its own, and none much further.
    @Test
    default void smallGradientsBesideLargeOnesMoveTheirParametersNoFurther() {
        int size = 512;
        int steps = 60;
        int decades = 8;
        try (var run = new Run(world(1), size)) {
            OptimizerContract.write(run.arena, new double[size]);
            for (int step = 1; step <= steps; step++) {
                run.step(new AdamW(RATE, 0.9, 0.999, 1e-15, 0, Double.POSITIVE_INFINITY, step), i -> Math.pow(10, -(i % decades)));
            }
            double[] share = Arrays.stream(OptimizerContract.read(run.arena)).map(moved -> -moved / (RATE * steps)).toArray();
            for (int i = 0; i < size; i++) {
                assertTrue(share[i] > 0 && share[i] < 1.4, "parameter " + i + " moved " + share[i] + " of the way");
            }
            for (int decade = 0; decade < decades; decade++) {
                int first = decade;
                double average = IntStream.range(0, size / decades).mapToDouble(i -> share[i * decades + first]).average().orElseThrow();
                assertTrue(average < 1.05 && (decade > 4 || average > 0.95), "decade " + decade + " moved " + average + " of the way");
            }
        }
    }

    /// Once a large gradient has passed, its square fades from the average by a share of a code each step.
    @Test
    default void averagesOfSquaresFadeThoughAStepIsLessThanACode() {
        int size = 256;
        int steps = 800;
        double beta2 = 0.99;
        try (var run = new Run(world(2), size)) {
            OptimizerContract.write(run.arena, new double[size]);
            double variance = 0;
            for (int step = 1; step <= steps; step++) {
                double gradient = step == 1 ? 32 : 1;
                run.step(new AdamW(RATE, 0.9, beta2, 1e-8, 0, Double.POSITIVE_INFINITY, step), i -> i == 0 ? 100 : gradient);
                variance = beta2 * variance + (1 - beta2) * gradient * gradient;
            }
            double[] before = OptimizerContract.read(run.arena);
            run.step(new AdamW(RATE, 0.9, beta2, 1e-8, 0, Double.POSITIVE_INFINITY, steps + 1), i -> i == 0 ? 100 : 1);
            double[] after = OptimizerContract.read(run.arena);
            double moved = IntStream.range(1, size).mapToDouble(i -> before[i] - after[i]).average().orElseThrow();
            assertEquals(RATE / Math.sqrt(variance), moved, 0.03 * RATE / Math.sqrt(variance));
        }
    }

    @Test
    default void parametersThatNeverHadAGradientStay() {
        int size = 300;
        try (var run = new Run(world(3), size)) {
            double[] start = OptimizerContract.floats(run.world.random().doubles(size, -1, 1).toArray());
            OptimizerContract.write(run.arena, start);
            for (int step = 1; step <= 5; step++) {
                run.step(new AdamW(RATE, 0.9, 0.999, 1e-8, 0, 1, step), i -> i % 2);
            }
            double[] found = OptimizerContract.read(run.arena);
            for (int i = 0; i < size; i++) {
                assertEquals(i % 2 == 0, start[i] == found[i], "parameter " + i);
            }
        }
    }

    @Test
    default void leanStepsGiveTheSameBitsTwice() {
        try (var one = new Run(world(4), 5000); var other = new Run(world(4), 5000)) {
            for (int step = 1; step <= 3; step++) {
                var settings = new AdamW(RATE, 0.9, 0.999, 1e-8, 0, 1, step);
                assertArrayEquals(one.step(settings, _ -> one.world.random().nextGaussian()),
                        other.step(settings, _ -> other.world.random().nextGaussian()));
            }
            other.arena.state().forEach((name, tensor) ->
                    assertArrayEquals(one.world.read(one.arena.state().get(name)), other.world.read(tensor), name));
        }
    }

    /// A lean arena of parameters that are 0.
    final class Run implements AutoCloseable {
        final World world;
        final ParameterArena arena;

        Run(World world, int size) {
            this.world = world;
            this.arena = world.backend().optimizer().arena(world.backend().scope(Lifetime.RUN, "adamw"), size, OptimizerState.LEAN);
        }

        /// Returns the gradients as the arena's type rounds them.
        double[] step(AdamW settings, IntToDoubleFunction gradient) {
            var type = arena.gradients().dtype();
            double[] gradients = IntStream.range(0, (int) arena.size())
                    .mapToDouble(i -> Numbers.round(gradient.applyAsDouble(i), type)).toArray();
            world.upload(arena.gradients(), gradients);
            var norm = world.poisoned("norm", DType.FLOAT32, 1);
            world.backend().optimizer().update(arena, settings, norm);
            double wanted = Math.sqrt(Arrays.stream(gradients).map(g -> g * g).sum());
            assertEquals(wanted, world.read(norm)[0], wanted * 1e-6);
            return gradients;
        }

        @Override
        public void close() {
            world.close();
        }
    }
}
