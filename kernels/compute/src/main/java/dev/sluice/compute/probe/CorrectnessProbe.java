package dev.sluice.compute.probe;

import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendDecision.Check;
import dev.sluice.compute.probe.Comparison.Finding;
import java.util.Comparator;
import java.util.List;

/// Whether a backend computes right on this machine: a few small ragged cases beside the reference, with outputs that begin as NaN.
/// The sizes are such that the kernels for large matrices take part.
public final class CorrectnessProbe {
    private static final long SEED = 20_231_105;
    private static final List<Trial> TRIALS = List.of(
            LinearTrials.linear(193, 256, 384, 16, false),
            LinearTrials.ofOneInput(193, 256, List.of(512, 128, 128), 16),
            ExpertTrials.route(193, 64, 16, 4),
            ExpertTrials.unevenExperts(193, 256, 192, 16),
            AttentionTrials.attention(new int[] {65, 1, 127}, 4, 2, 128, 0, false),
            LinearTrials.crossEntropy(129, 256, 520, 0),
            SimpleTrials.adamw(64 * 37));

    private CorrectnessProbe() {}

    /// One entry an operation.
    ///
    /// @throws ProbeException if an operation throws
    public static List<Check> compare(Backend reference, Backend tested) {
        var comparison = new Comparison(reference, tested);
        return TRIALS.stream().map(trial -> check(comparison, trial)).toList();
    }

    private static Check check(Comparison comparison, Trial trial) {
        try {
            Finding worst = comparison.of(trial, SEED).stream().max(Comparator.comparingDouble(Finding::share)).orElseThrow();
            double error = Double.isNaN(worst.error()) ? Double.POSITIVE_INFINITY : worst.error();
            return new Check(trial.operation(), worst.output(), error, worst.bound());
        } catch (RuntimeException e) {
            throw new ProbeException(trial.operation() + " (" + trial.sizes() + "): " + e.getMessage(), e);
        }
    }
}
