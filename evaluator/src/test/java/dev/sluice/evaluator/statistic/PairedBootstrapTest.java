package dev.sluice.evaluator.statistic;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;

import java.time.Duration;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// Expected values: Python, with the generator written anew from the specification of `java.util.Random`, and
/// `numpy.quantile`.
class PairedBootstrapTest {

    private static final double TOLERANCE = 1e-12;

    @Test
    void intervalIsThatOfAnIndependentProgram() {
        Interval seven = improvement(7, new PairedBootstrap(1000, 1234));
        assertEquals(0.4576923076923079, seven.estimate(), TOLERANCE);
        assertEquals(0.1075909291022764, seven.stderr(), TOLERANCE);
        assertEquals(0.23181818181818173, seven.low(), TOLERANCE);
        assertEquals(0.67, seven.high(), TOLERANCE);
    }

    @Test
    void powersOfTwoAreDrawnFromTheHighBits() {
        Interval eight = improvement(8, new PairedBootstrap(1000, 1234));
        assertEquals(0.5107142857142861, eight.estimate(), TOLERANCE);
        assertEquals(0.11423200495207875, eight.stderr(), TOLERANCE);
        assertEquals(0.30658064516129024, eight.low(), TOLERANCE);
        assertEquals(0.7601304347826083, eight.high(), TOLERANCE);
    }

    @Test
    void sameSeedGivesTheSameInterval() {
        assertEquals(improvement(20, new PairedBootstrap(500, 7)), improvement(20, new PairedBootstrap(500, 7)));
    }

    @Test
    void equalSidesGiveZeroWithoutSpread() {
        double[] cost = {1, 2, 3};
        assertEquals(new Interval(0, 0, 0, 0), new PairedBootstrap(100, 1).improvement(cost, cost, new double[] {1, 2, 3}, 0.95));
    }

    @Test
    void thousandRowsTakeSeconds() {
        assertTimeout(Duration.ofSeconds(10), () -> improvement(1000, new PairedBootstrap(10_000, 1)));
    }

    private static Interval improvement(int rows, PairedBootstrap bootstrap) {
        double[] baseline = new double[rows];
        double[] candidate = new double[rows];
        double[] weights = new double[rows];
        Arrays.setAll(baseline, i -> 3.5 * (i + 1) + 2);
        Arrays.setAll(candidate, i -> 3.1 * (i + 1) + 1.0 + (i + 1) % 3 * 0.9);
        Arrays.setAll(weights, i -> 2 + (i + 1) % 4);
        return bootstrap.improvement(baseline, candidate, weights, 0.95);
    }
}
