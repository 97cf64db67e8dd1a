package dev.sluice.contracts.evaluation;

import dev.sluice.contracts.wire.Check;
import java.time.Instant;

/// An adapter whose score has to wait for something that is not there: `scores.v1`, under the key of the score beside the
/// base model. It is no end: the evaluator goes on trying, and the score, or why there is none, replaces it.
///
/// @param suite the prepared id whose held-out split is to be scored
/// @param reason what is waited for, and the way out
/// @param since when it was first tried in vain for this reason
public record Waiting(String adapterId, String jobId, String suite, String reason, Instant since) implements ScoreEvent {
    public Waiting {
        Check.text(adapterId, "adapter_id");
        Check.text(jobId, "job_id");
        Check.text(suite, "suite");
        Check.text(reason, "reason");
        Check.present(since, "since");
    }

    @Override
    public String key() {
        return Score.key(adapterId, suite, Score.BASE);
    }

    @Override
    public Instant at() {
        return since;
    }
}
