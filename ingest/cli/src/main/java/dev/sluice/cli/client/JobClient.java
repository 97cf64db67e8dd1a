package dev.sluice.cli.client;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.job.Control;
import dev.sluice.contracts.job.ControlOperation;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.topic.Topic;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/// Submits jobs, follows them, cancels them.
public final class JobClient {
    private static final Duration POLL = Duration.ofMillis(100);
    private final Client client;

    public JobClient(Client client) {
        this.client = client;
    }

    public void submit(JobSpec spec) {
        client.send(List.of(client.events().message(Topic.JOBS, spec.jobId(), spec)));
    }

    /// The job's latest state.
    ///
    /// @throws CliException if no such job is known
    public JobState get(String jobId) {
        return client.jobs().get(jobId).orElseThrow(() -> new CliException(ExitCode.FAILED,
                "no job " + jobId + "; ./sluice jobs lists them"));
    }

    /// Asks for the job to be cancelled; [#follow] tells when it is.
    public void cancel(String jobId, String reason) {
        var wish = new Control(jobId, ControlOperation.CANCEL, System.getProperty("user.name"), reason, Instant.now());
        client.send(List.of(client.events().message(Topic.CONTROL, jobId, wish)));
    }

    /// Called with every change while a job is followed, always from the same thread.
    public interface Listener {
        void phase(JobState state);

        void progress(Progress progress);
    }

    /// Follows a job to its end.
    ///
    /// @param patience how long to wait for its first state
    /// @return its terminal state
    public JobState follow(String jobId, Duration patience, Listener listener) {
        var states = client.jobs();
        var progress = client.progress();
        long deadline = System.nanoTime() + patience.toNanos();
        JobState seen = null;
        Progress shown = null;
        while (seen == null || !seen.phase().isTerminal()) {
            shown = report(progress.get(jobId), shown, listener::progress);
            seen = report(states.get(jobId), seen, listener::phase);
            if (seen == null && System.nanoTime() > deadline) {
                throw new CliException(ExitCode.FAILED, "job " + jobId + " is in the broker, but ingest has not taken it in after "
                        + patience.toSeconds() + " s; see ./sluice status");
            }
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(POLL.toMillis()));
        }
        report(progress.get(jobId), shown, listener::progress);
        return seen;
    }

    private static <T> T report(Optional<T> now, T before, Consumer<T> listener) {
        if (now.isEmpty() || now.get().equals(before)) {
            return before;
        }
        listener.accept(now.get());
        return now.get();
    }
}
