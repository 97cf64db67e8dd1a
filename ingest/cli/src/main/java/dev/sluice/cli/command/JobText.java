package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.JobClient;
import dev.sluice.cli.output.ProgressLine;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Progress;
import java.io.PrintStream;

/// A job's life, line by line, for people.
final class JobText implements JobClient.Listener {
    private final PrintStream out;
    private final ProgressLine bar;
    private String last = "";

    JobText(PrintStream out) {
        this.out = out;
        this.bar = new ProgressLine(out, System.console() != null && System.console().isTerminal());
    }

    @Override
    public void phase(JobState state) {
        say(describe(state));
    }

    /// Between the job's end and its score.
    void scoring(Waiting waiting) {
        say(ScoreText.waiting(waiting));
    }

    @Override
    public void progress(Progress progress) {
        if (progress.step() > 0) {
            bar.show(progress);
        }
    }

    private void say(String line) {
        if (!line.equals(last)) {
            bar.finish();
            out.println("  " + line);
            last = line;
        }
    }

    static String describe(JobState state) {
        String reason = state.reason() == null ? "" : ": " + state.reason();
        return switch (state.phase()) {
            case SUBMITTED -> "submitted, preparing the data";
            case QUEUED -> "queued" + reason;
            case RUNNING -> "running, attempt " + state.attempt() + " on " + state.owner() + reason;
            case PREEMPTED -> "preempted at step " + state.step() + reason;
            case LOST -> "lost at step " + state.step() + reason;
            case PUBLISHING -> "publishing the adapter";
            case SUCCEEDED -> "succeeded: adapter " + state.adapterId();
            case REJECTED -> "rejected (" + state.code() + ")" + reason;
            case FAILED -> "failed (" + state.code() + ")" + reason;
            case CANCELLED -> "cancelled" + reason;
        };
    }

    /// OK for a job that succeeded, PARTLY for any other end.
    static ExitCode exitCode(JobState state) {
        return switch (state.phase()) {
            case SUCCEEDED -> ExitCode.OK;
            case SUBMITTED, QUEUED, RUNNING, PREEMPTED, LOST, PUBLISHING, REJECTED, FAILED, CANCELLED -> ExitCode.PARTLY;
        };
    }
}
