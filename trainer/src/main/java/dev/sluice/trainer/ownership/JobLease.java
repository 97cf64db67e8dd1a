package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.FencedException;
import dev.sluice.trainer.observe.Pulse;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;

/// A claimed job. One thread of its own renews the lease and makes every transaction, so training never waits for the
/// broker: it hands over what to write and goes on.
///
/// When the broker is away, the thread tries until it is back. Then it reads the log: still our token means that nobody
/// took the job over, so it claims the job again and goes on where it was; another token means that the job is lost.
/// The same question answers a fencing error, because the broker also fences a producer whose transaction it timed out.
public final class JobLease implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(JobLease.class);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private final Claims claims;
    private final Duration length;
    private final Pulse pulse;
    private final ScheduledExecutorService thread;
    private JobWriter writer;
    private volatile JobState state;
    private volatile int step;
    private volatile int totalSteps;
    private volatile OwnershipLostException lost;
    private volatile boolean closed;

    JobLease(Claims claims, JobWriter writer, JobState state, Duration length, Pulse pulse) {
        this.claims = claims;
        this.writer = writer;
        this.state = state;
        this.length = length;
        this.pulse = pulse;
        this.step = state.step();
        this.totalSteps = state.totalSteps();
        this.thread = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name("lease-" + state.jobId()).factory());
        long quarter = length.toMillis() / 4;
        thread.scheduleWithFixedDelay(this::renew, quarter, quarter, TimeUnit.MILLISECONDS);
    }

    /// The job as last written by us.
    public JobState state() {
        return state;
    }

    public Duration length() {
        return length;
    }

    /// The next renewal carries these numbers.
    public void reached(int newStep, int newTotalSteps) {
        step = newStep;
        totalSteps = newTotalSteps;
    }

    /// @throws OwnershipLostException when the job is not ours any more
    public void check() {
        if (lost != null) {
            throw lost;
        }
        if (!state.phase().isOwned()) {
            throw new OwnershipLostException("job " + state.jobId() + " is not running any more, it is " + state.phase());
        }
    }

    /// Writes `edit`, with `others` in the same transaction, as soon as the broker takes it.
    ///
    /// @return the job as it stands then; fails with [OwnershipLostException] when another trainer owns the job
    public CompletableFuture<JobState> write(Edit edit, List<ProducerRecord<String, byte[]>> others) {
        try {
            return CompletableFuture.supplyAsync(() -> commit(edit, others), thread);
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new OwnershipLostException("job " + state.jobId() + ": the lease was given up"));
        }
    }

    public CompletableFuture<JobState> write(Edit edit) {
        return write(edit, List.of());
    }

    /// Stops renewing. What has not been written by now is not written any more.
    @Override
    public void close() {
        closed = true;
        thread.shutdownNow();
        try {
            if (!thread.awaitTermination(CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)) {
                LOG.warnf("job %s: the lease thread still waits for the broker", state.jobId());
            }
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
        if (writer != null) {
            writer.close();
        }
    }

    private void renew() {
        pulse.beat();
        if (lost == null && state.phase().isOwned()) {
            try {
                commit((job, now) -> Transitions.renewed(job, step, totalSteps, length, now), List.of());
            } catch (OwnershipLostException e) {
                LOG.warn(e.getMessage());
            } catch (RuntimeException e) {
                LOG.errorf(e, "job %s: renewing the lease failed", state.jobId());
            }
        }
    }

    private JobState commit(Edit edit, List<ProducerRecord<String, byte[]>> others) {
        check();
        while (state.phase().isOwned()) {
            try {
                state = writer.write(edit, state, others);
                return state;
            } catch (FencedException | KafkaException e) {
                recover(e);
            }
        }
        return state; // our last write got through although its answer was lost, or ingest cancelled the job
    }

    /// Claims again, or finds that the job is not ours any more.
    private void recover(RuntimeException cause) {
        LOG.warnf("job %s: the transaction failed (%s); reading the log to see who owns the job", state.jobId(), cause.getMessage());
        writer.close();
        writer = null;
        while (!closed) {
            pulse.beat();
            try {
                Claims.Continued continued = claims.resume(state);
                state = continued.state();
                writer = continued.writer();
                return;
            } catch (OwnershipLostException e) {
                lost = e;
                throw e;
            } catch (FencedException | KafkaException e) {
                LOG.infof("job %s: the broker is not back yet: %s", state.jobId(), e.getMessage());
                pause();
            } catch (InterruptedException _) {
                closed = true;
            }
        }
        throw new OwnershipLostException("job " + state.jobId() + ": given up while the broker was away");
    }

    private void pause() {
        try {
            Thread.sleep(Math.min(1000, length.toMillis() / 4));
        } catch (InterruptedException _) {
            closed = true;
        }
    }
}
