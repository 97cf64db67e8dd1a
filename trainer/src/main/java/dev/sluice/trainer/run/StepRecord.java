package dev.sluice.trainer.run;

import dev.sluice.model.training.StepReport;

/// One optimiser step as `run.json` shows it.
///
/// @param step 1 for the first
/// @param loss mean negative log-likelihood per trained token, in nats, before the update
/// @param gradNorm global gradient norm before clipping
/// @param ms wall time
public record StepRecord(long step, double loss, double gradNorm, double learningRate, long trainedTokens, long tokens, double ms) {

    static StepRecord of(StepReport report) {
        return new StepRecord(report.step(), report.loss(), report.gradNorm(), report.learningRate(), report.trainedTokens(),
                report.tokens(), report.milliseconds());
    }
}
