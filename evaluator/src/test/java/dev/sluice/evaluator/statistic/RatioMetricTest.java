package dev.sluice.evaluator.statistic;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.contracts.evaluation.Metric;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// Expected values: NumPy 2, float64.
class RatioMetricTest {

    @Test
    void ratioOfSumsHasTheLinearisedStandardError() {
        double[] numerators = new double[7];
        double[] denominators = new double[7];
        Arrays.setAll(numerators, i -> 3.5 * (i + 1) + 2);
        Arrays.setAll(denominators, i -> 2 + (i + 1) % 4);

        Metric metric = RatioMetric.of(numerators, denominators);

        assertEquals(4.3076923076923075, metric.value(), 1e-14);
        assertEquals(0.7884795783763925, metric.stderr(), 1e-14);
    }

    @Test
    void meanHasTheStandardErrorOfTheHarness() {
        double[] values = new double[30];
        Arrays.setAll(values, i -> i % 3 == 0 ? 0 : 1);

        Metric metric = RatioMetric.mean(values);

        assertEquals(2.0 / 3, metric.value(), 1e-15);
        assertEquals(0.08753762190648169, metric.stderr(), 1e-15);
    }

    @Test
    void singleRowHasNoStandardError() {
        assertEquals(new Metric(2.5, 0), RatioMetric.of(new double[] {5}, new double[] {2}));
    }
}
