package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.apache.kafka.common.KafkaException;

/// Every job as it stands in `job-state.v1`, and which of them can be claimed.
public final class JobTable implements AutoCloseable {

    private final CompactedView<JobState> view;
    private final LeaseWatch leases;

    /// Starts to follow the topic.
    public JobTable(KafkaConnection connection, Topics topics) {
        leases = new LeaseWatch(System::nanoTime);
        view = new CompactedView<>(connection, topics.name(Topic.JOB_STATE), value -> Json.read(value, JobState.class));
        view.onChange((_, state) -> {
            if (state != null) {
                leases.saw(state);
            }
        });
    }

    /// Waits until everything that was in the topic at the start has been read. Before that nothing may be claimed.
    public boolean awaitLoaded(Duration timeout) throws InterruptedException {
        return view.awaitCaughtUp(timeout);
    }

    public Optional<JobState> get(String jobId) {
        return view.get(jobId);
    }

    /// The job's newest record among everything committed by now.
    ///
    /// @throws KafkaException when the broker does not show the end of the log in time
    public Optional<JobState> newest(String jobId, Duration timeout) throws InterruptedException {
        if (!view.refreshToEnd(timeout)) {
            throw new KafkaException("job " + jobId + ": the end of the job log was not reached in " + timeout);
        }
        return view.get(jobId);
    }

    /// Jobs waiting for a trainer or left by one whose lease ran out, the oldest first.
    public List<JobState> claimable(Predicate<String> excluded) {
        return view.values().stream()
                .filter(job -> isFree(job) && !excluded.test(job.jobId()))
                .sorted(Comparator.comparing(JobState::submittedAt).thenComparing(JobState::jobId))
                .toList();
    }

    private boolean isFree(JobState job) {
        return job.phase() == JobPhase.QUEUED || leases.hasExpired(job);
    }

    /// Every job, as of now.
    public List<JobState> all() {
        return view.values();
    }

    /// Calls `listener` whenever a job changes, on the table's thread.
    public void onChange(Runnable listener) {
        view.onChange((_, _) -> listener.run());
    }

    /// How many jobs stand in `phase`.
    public long count(JobPhase phase) {
        return view.values().stream().filter(job -> job.phase() == phase).count();
    }

    public boolean isRunning() {
        return view.isRunning();
    }

    /// Time since the broker's client last gave control back, for readiness.
    public Duration sinceLastPoll() {
        return view.sinceLastPoll();
    }

    @Override
    public void close() {
        view.close();
    }
}
