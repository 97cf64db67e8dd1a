package dev.sluice.contracts.evaluation;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.wire.Check;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/// An adapter beside a baseline on the same rows: `scores.v1`. A pure function of adapter, baseline and suite.
///
/// @param suite the prepared id whose held-out split was scored
/// @param baseline [#BASE], or the adapter id of the champion
/// @param rows held-out rows
/// @param tokens trained tokens in them
/// @param textBytes UTF-8 bytes of the trained text
/// @param baselineMetrics `nll_per_token`, `perplexity`, `bits_per_byte`, `token_accuracy` … under the baseline
/// @param candidateMetrics the same with the adapter
/// @param paired the comparison that decides
/// @param samples answers before and after, may be empty
/// @param rowScores JSONL, one object per held-out row in order: `record_id`, `tokens`, `bytes`, `base_nll` (baseline's
///     summed negative log-likelihood in nats), `adapted_nll` (the candidate's)
@JsonTypeInfo(use = JsonTypeInfo.Id.NONE)
public record Score(String adapterId, String jobId, String suite, String baseline, long rows, long tokens, long textBytes,
        Map<String, Metric> baselineMetrics, Map<String, Metric> candidateMetrics, Paired paired, List<SampleAnswer> samples,
        ArtifactRef rowScores, Instant scoredAt) implements Verdict {

    /// Baseline that is the model without any adapter.
    public static final String BASE = "base";

    public Score {
        Check.text(adapterId, "adapter_id");
        Check.text(suite, "suite");
        Check.text(baseline, "baseline");
        baselineMetrics = Map.copyOf(Check.present(baselineMetrics, "baseline_metrics"));
        candidateMetrics = Map.copyOf(Check.present(candidateMetrics, "candidate_metrics"));
        samples = samples == null ? List.of() : List.copyOf(samples);
        Check.present(rowScores, "row_scores");
        Check.present(scoredAt, "scored_at");
    }

    @Override
    public String key() {
        return key(adapterId, suite, baseline);
    }

    @Override
    public Instant at() {
        return scoredAt;
    }

    /// The key of the message about an adapter, a suite and a baseline.
    public static String key(String adapterId, String suite, String baseline) {
        return adapterId + "/" + suite + "/" + baseline;
    }
}
