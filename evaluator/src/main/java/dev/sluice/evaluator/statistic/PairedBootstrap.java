package dev.sluice.evaluator.statistic;

import java.util.Arrays;
import java.util.Random;

/// The paired percentile bootstrap of a difference of ratios: rows are drawn with replacement, the same rows for both
/// sides, and the ratio of sums is taken anew each time.
///
/// The draws are `new Random(seed).nextInt(rows)`, one after the other: `java.util.Random` is specified to the bit, so
/// anyone can compute an interval again from the rows' scores.
///
/// @param resamples how often to draw
/// @param seed of the draws
public record PairedBootstrap(int resamples, long seed) {

    /// As [Interval]s and decisions name it.
    public static final String METHOD = "paired-bootstrap";

    public PairedBootstrap {
        if (resamples < 2) {
            throw new IllegalArgumentException("bootstrap resamples must be at least 2, was " + resamples);
        }
    }

    /// Improvement from `baseline` to `candidate`, (Σ baseline - Σ candidate) / Σ weight.
    ///
    /// @param baseline one cost per row
    /// @param candidate one cost per row
    /// @param weights one per row, all above 0
    /// @param confidence of the interval, for example 0.95
    public Interval improvement(double[] baseline, double[] candidate, double[] weights, double confidence) {
        int rows = baseline.length;
        double[] gains = new double[rows];
        Arrays.setAll(gains, row -> baseline[row] - candidate[row]);
        Random random = new Random(seed);
        double[] replicates = new double[resamples];
        for (int i = 0; i < resamples; i++) {
            double gain = 0;
            double weight = 0;
            for (int draw = 0; draw < rows; draw++) {
                int row = random.nextInt(rows);
                gain += gains[row];
                weight += weights[row];
            }
            replicates[i] = gain / weight;
        }
        Arrays.sort(replicates);
        double tail = (1 - confidence) / 2;
        return new Interval(Arrays.stream(gains).sum() / Arrays.stream(weights).sum(), standardDeviation(replicates),
                quantile(replicates, tail), quantile(replicates, 1 - tail));
    }

    /// Interpolated linearly between order statistics, as NumPy does by default.
    private static double quantile(double[] sorted, double probability) {
        double position = probability * (sorted.length - 1);
        int below = (int) Math.floor(position);
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
    }

    private static double standardDeviation(double[] values) {
        double mean = Arrays.stream(values).average().orElseThrow();
        double squares = Arrays.stream(values).map(value -> (value - mean) * (value - mean)).sum();
        return Math.sqrt(squares / (values.length - 1));
    }
}
