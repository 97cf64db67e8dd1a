package dev.sluice.evaluator.statistic;

import dev.sluice.contracts.evaluation.Metric;
import java.util.Arrays;

/// A ratio of sums over rows, such as nats per token, with the standard error that treats every row as a cluster: tokens
/// of one row are not independent, rows are.
public final class RatioMetric {

    private RatioMetric() {}

    /// Σ numerator / Σ denominator. Its standard error is that of the linearised ratio,
    /// √(n / (n - 1) · Σ (numerator - ratio · denominator)²) / Σ denominator, and 0 for a single row.
    ///
    /// @param numerators one per row
    /// @param denominators one per row, not all 0
    public static Metric of(double[] numerators, double[] denominators) {
        int n = numerators.length;
        double denominator = Arrays.stream(denominators).sum();
        double ratio = Arrays.stream(numerators).sum() / denominator;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            double residual = numerators[i] - ratio * denominators[i];
            squares += residual * residual;
        }
        return new Metric(ratio, n < 2 ? 0 : Math.sqrt(squares * n / (n - 1)) / denominator);
    }

    /// The mean of values, one per row; its standard error is s / √n.
    public static Metric mean(double[] values) {
        double[] ones = new double[values.length];
        Arrays.fill(ones, 1);
        return of(values, ones);
    }
}
