package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Weight;
import dev.sluice.compute.contract.World;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// A product of bf16 numbers is right for every row and column by itself, whatever magnitudes lie beside it: what cards without bf16
/// products have to show, whose float16 knows 2^-24 to 2^16 only.
class WideRangeProductTest {
    private static final int ROWS = 130;
    private static final int IN = 96;
    private static final int OUT = 160;
    /// Half a unit in the last of bf16's eight bits, beside a sum that begins with one.
    private static final double ROUNDING = 0x1p-8;
    /// Of the sum of magnitudes: float32 sums that tensor cores cut off.
    private static final double SUMS = 0x1p-20;

    @BeforeAll
    static void needsAGpu() {
        var availability = new PortableProvider().probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
    }

    @Test
    void everyRowAndColumnKeepsItsOwnPrecision() {
        try (var backend = new PortableProvider().open(); var world = new World(backend, 0, 3)) {
            double[] x = scattered(world, ROWS, row -> row * 37 % 241 - 120);
            double[] w = scattered(world, OUT, column -> column * 53 % 241 - 120);
            double[] y = product(world, x, w);
            double[] left = world.given("left", DType.BFLOAT16, x, ROWS, IN).values();
            double[] right = world.given("right", DType.BFLOAT16, w, OUT, IN).values();
            int compared = 0;
            for (int at = 0; at < y.length; at++) {
                double sum = 0;
                double magnitudes = 0;
                for (int i = 0; i < IN; i++) {
                    double term = left[at / OUT * IN + i] * right[at % OUT * IN + i];
                    sum += term;
                    magnitudes += Math.abs(term);
                }
                if (magnitudes > 0x1p-100 && magnitudes < 0x1p120) {
                    compared++;
                    assertTrue(Math.abs(y[at] - sum) <= ROUNDING * Math.abs(sum) + SUMS * magnitudes,
                            "row " + at / OUT + " column " + at % OUT + ": " + y[at] + " should be " + sum);
                }
            }
            assertTrue(compared > ROWS * OUT / 2, compared + " sums");
        }
    }

    @Test
    void whatIsNotFiniteStaysInItsRow() {
        try (var backend = new PortableProvider().open(); var world = new World(backend, 0, 4)) {
            double[] x = scattered(world, ROWS, _ -> 0);
            x[3 * IN + 5] = Double.POSITIVE_INFINITY;
            x[17 * IN + 40] = Double.NaN;
            IntStream.range(0, IN).forEach(i -> x[20 * IN + i] = 0);
            double[] y = product(world, x, scattered(world, OUT, _ -> 0));
            for (int at = 0; at < y.length; at++) {
                int row = at / OUT;
                assertEquals(row != 3 && row != 17, Double.isFinite(y[at]), "row " + row + " column " + at % OUT + ": " + y[at]);
                assertTrue(row != 20 || y[at] == 0, "row of zeros: " + y[at]);
            }
        }
    }

    /// IN numbers a row about 2^exponent of that row; every third one is a million times smaller.
    private static double[] scattered(World world, int rows, DoubleUnaryOperator exponent) {
        return IntStream.range(0, rows * IN).mapToDouble(i -> Math.scalb(world.random().nextDouble(0.5, 1) * (world.random().nextBoolean() ? 1 : -1),
                (int) exponent.applyAsDouble(i / IN) - (i % 3 == 0 ? 20 : 0))).toArray();
    }

    private static double[] product(World world, double[] x, double[] w) {
        try (var step = world.backend().scope(Lifetime.STEP, "step")) {
            var layer = new Linear(new Weight.Dense(world.given("w", DType.BFLOAT16, w, OUT, IN).tensor()), null, null);
            var y = world.output("y", ROWS, OUT);
            world.backend().linear().forward(world.given("x", DType.BFLOAT16, x, ROWS, IN).tensor(), layer, null, y, step);
            return world.read(y);
        }
    }
}
