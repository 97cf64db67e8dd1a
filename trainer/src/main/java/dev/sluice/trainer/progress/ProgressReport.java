package dev.sluice.trainer.progress;

import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.job.Stage;
import dev.sluice.model.training.StepReport;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;

/// Makes one attempt's progress messages: remembers the last step, estimates the end.
public final class ProgressReport {

    /// Weight of the newest step in the running mean of step times.
    private static final double NEWEST = 0.1;

    private final String jobId;
    private final ProgressLog log;
    private Progress last;
    private double meanStepMs;

    public ProgressReport(String jobId, long token, ProgressLog log) {
        this.jobId = jobId;
        this.log = log;
        this.last = new Progress(jobId, token, Stage.LOADING, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Instant.now());
    }

    /// Says what the trainer is busy with; the figures stay those of the last step.
    public void stage(Stage stage) {
        send(new Progress(jobId, last.token(), stage, last.step(), last.totalSteps(), last.epoch(), last.loss(), last.learningRate(),
                last.gradNorm(), last.trainedTokens(), last.tokensPerSecond(), last.memoryBytes(), last.stepMs(), last.expertLoadCv(),
                last.etaSeconds(), Instant.now()));
    }

    /// @param token of the owner at this moment
    /// @param peakBytes most memory a micro-batch took
    public void step(long token, StepReport report, int totalSteps, double epoch, long peakBytes) {
        meanStepMs = meanStepMs == 0 ? report.milliseconds() : meanStepMs + NEWEST * (report.milliseconds() - meanStepMs);
        long eta = Math.round((totalSteps - report.step()) * meanStepMs / 1000);
        send(new Progress(jobId, token, Stage.TRAINING, (int) report.step(), totalSteps, epoch, report.loss(), report.learningRate(),
                report.gradNorm(), report.trainedTokens(), report.tokens() / (report.milliseconds() / 1000), peakBytes,
                report.milliseconds(), loadVariation(report.expertLoad()), eta, Instant.now()));
    }

    private void send(Progress progress) {
        last = progress;
        log.send(progress);
    }

    /// Coefficient of variation of picks per expert (0: even), mean over sparse layers.
    static double loadVariation(List<StepReport.ExpertLoad> load) {
        return load.stream().mapToDouble(layer -> variation(layer.picks())).average().orElse(0);
    }

    private static double variation(long[] picks) {
        double mean = Arrays.stream(picks).average().orElse(0);
        double variance = Arrays.stream(picks).mapToDouble(count -> (count - mean) * (count - mean)).average().orElse(0);
        return mean == 0 ? 0 : Math.sqrt(variance) / mean;
    }
}
