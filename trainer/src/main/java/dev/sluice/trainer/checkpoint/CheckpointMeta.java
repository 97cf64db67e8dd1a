package dev.sluice.trainer.checkpoint;

import dev.sluice.compute.BackendDecision;
import dev.sluice.contracts.wire.Check;
import dev.sluice.trainer.run.StepLog;

/// What a checkpoint knows besides the numbers: whose it is, and the run so far. It is the `cursor` of the saved run.
///
/// Job and token are part of the content, so two attempts never share a checkpoint's hash, and removing one's old
/// checkpoints cannot touch another's.
///
/// @param step optimiser steps done, which is also the place in the data
/// @param backend the choice that the attempt which wrote it ran with
public record CheckpointMeta(String jobId, long token, int step, StepLog log, BackendDecision backend) {
    public CheckpointMeta {
        Check.text(jobId, "job_id");
        Check.atLeast(step, 0, "step");
        Check.present(log, "log");
    }
}
