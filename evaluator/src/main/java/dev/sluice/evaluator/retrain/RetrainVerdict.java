package dev.sluice.evaluator.retrain;

import dev.sluice.contracts.job.JobSpec;

/// Whether an alias calls for a new adapter.
public sealed interface RetrainVerdict {

    /// It does.
    record Due(JobSpec job) implements RetrainVerdict {}

    /// It does not, or not now.
    record Wait(String reason) implements RetrainVerdict {}
}
