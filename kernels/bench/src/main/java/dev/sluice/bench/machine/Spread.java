package dev.sluice.bench.machine;

import java.util.Arrays;

/// Repeated measurements of one thing, in milliseconds.
public record Spread(double median, double min, double max) {
    public static Spread of(double... times) {
        double[] sorted = times.clone();
        Arrays.sort(sorted);
        int half = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        return new Spread(median, sorted[0], sorted[sorted.length - 1]);
    }
}
