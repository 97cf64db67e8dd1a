package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.Check;
import java.time.Instant;

/// One step of a run, for people and dashboards; may be lost. Names follow the Hugging Face trainer's log.
///
/// Outside of training, the figures are those of the last step, or 0 before the first.
///
/// @param token the attempt's fencing token
/// @param stage what the trainer is busy with
/// @param step optimiser steps done, of `totalSteps`
/// @param epoch passes over the data so far
/// @param loss mean negative log-likelihood per trained token of this step, in nats
/// @param gradNorm global norm before clipping
/// @param trainedTokens tokens the loss was taken over in this step
/// @param tokensPerSecond all tokens of the step (trained or not) per second
/// @param memoryBytes peak memory of the step, 0 where the backend cannot tell
/// @param stepMs duration of the step, milliseconds
/// @param expertLoadCv coefficient of variation of tokens per expert, mean over layers
/// @param etaSeconds estimated seconds to the end
public record Progress(String jobId, long token, Stage stage, int step, int totalSteps, double epoch, double loss, double learningRate, double gradNorm,
        long trainedTokens, double tokensPerSecond, long memoryBytes, double stepMs, double expertLoadCv, long etaSeconds, Instant at) {
    public Progress {
        Check.text(jobId, "job_id");
        Check.present(stage, "stage");
        Check.atLeast(step, 0, "step");
        Check.atLeast(totalSteps, step, "total_steps");
        Check.present(at, "at");
    }
}
