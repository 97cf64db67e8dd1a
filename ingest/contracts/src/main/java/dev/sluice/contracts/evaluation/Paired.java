package dev.sluice.contracts.evaluation;

import dev.sluice.contracts.wire.Check;

/// The same rows under two models: what the difference is worth.
///
/// @param metric name of the primary metric, for example `nll_per_token`
/// @param baseline its value under the baseline
/// @param candidate its value under the adapter
/// @param delta improvement: positive is better for the candidate, whichever way the metric points
/// @param stderr standard error of `delta`
/// @param low lower end of the interval for `delta`
/// @param high upper end
/// @param confidence of the interval, for example 0.95
/// @param rows pairs
/// @param method for example `paired-bootstrap`
/// @param resamples of the bootstrap
/// @param seed of the bootstrap
public record Paired(String metric, double baseline, double candidate, double delta, double stderr, double low, double high,
        double confidence, long rows, String method, int resamples, long seed) {
    public Paired {
        Check.text(metric, "metric");
        Check.text(method, "method");
        if (!(low <= high)) {
            throw new IllegalArgumentException("low must not be above high, was " + low + " and " + high);
        }
    }
}
