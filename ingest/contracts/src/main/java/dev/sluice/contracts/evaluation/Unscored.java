package dev.sluice.contracts.evaluation;

import dev.sluice.contracts.wire.Check;
import java.time.Instant;

/// An adapter that gets no score, and why: `scores.v1`, under the key of the score beside the base model, which replaces it
/// when it can be made after all.
///
/// It speaks of one job's adapter. The same files published by another job are looked at anew.
///
/// @param suite the prepared id whose held-out split was to be scored
/// @param reason what was tried, what is wrong, and the way out
/// @param retryable whether the cause lies outside the adapter and its rows, so that the evaluator tries again at its next start
public record Unscored(String adapterId, String jobId, String suite, String reason, boolean retryable, Instant failedAt) implements Verdict {
    public Unscored {
        Check.text(adapterId, "adapter_id");
        Check.text(jobId, "job_id");
        Check.text(suite, "suite");
        Check.text(reason, "reason");
        Check.present(failedAt, "failed_at");
    }

    @Override
    public String key() {
        return Score.key(adapterId, suite, Score.BASE);
    }

    @Override
    public Instant at() {
        return failedAt;
    }
}
