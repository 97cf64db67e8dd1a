package dev.sluice.contracts.evaluation;

import dev.sluice.contracts.wire.Check;
import java.util.Map;

/// A number with its standard error (0 where it has none).
public record Metric(double value, double stderr) {
    public Metric {
        if (!(stderr >= 0)) {
            throw new IllegalArgumentException("stderr must be at least 0, was " + stderr);
        }
    }

    /// @throws IllegalArgumentException when there is no such metric
    public static Metric of(Map<String, Metric> metrics, String name) {
        return Check.present(metrics.get(name), "metric " + name);
    }
}
