package dev.sluice.compute.probe;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import java.util.ArrayList;
import java.util.List;

/// Runs trials on two backends and compares what they wrote.
public final class Comparison {
    private final Backend reference;
    private final Backend tested;

    public Comparison(Backend reference, Backend tested) {
        this.reference = reference;
        this.tested = tested;
    }

    /// @param error relative Frobenius error, NaN where something was not written; for exact outputs the largest difference
    public record Finding(String output, double error, double bound) {
        public boolean passed() {
            return error <= bound;
        }

        /// Of the bound.
        public double share() {
            return bound == 0 ? error : error / bound;
        }
    }

    /// @param seed of the numbers
    public List<Finding> of(Trial trial, long seed) {
        DType type = tested.activationType();
        try (var wanted = new Side(reference, type, seed); var found = new Side(tested, type, seed)) {
            List<Output> right = trial.body().run(wanted);
            List<Output> own = trial.body().run(found);
            tested.synchronize();
            var findings = new ArrayList<Finding>();
            for (int i = 0; i < own.size(); i++) {
                Output output = own.get(i);
                double[] expected = wanted.read(right.get(i).tensor());
                double[] actual = found.read(output.tensor());
                double error = output.roundings() == Output.EXACT ? largestDifference(expected, actual) : relativeError(expected, actual);
                findings.add(new Finding(output.name(), error, output.bound(type)));
            }
            return findings;
        }
    }

    private static double largestDifference(double[] expected, double[] actual) {
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            largest = Math.max(largest, Math.abs(actual[i] - expected[i]));
        }
        return largest;
    }

    private static double relativeError(double[] expected, double[] actual) {
        double difference = 0;
        double size = 0;
        for (int i = 0; i < expected.length; i++) {
            difference += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            size += expected[i] * expected[i];
        }
        return size == 0 ? Math.sqrt(difference) : Math.sqrt(difference / size);
    }
}
