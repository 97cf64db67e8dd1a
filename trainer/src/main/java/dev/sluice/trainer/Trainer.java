package dev.sluice.trainer;

import dev.sluice.contracts.log.FencedException;
import dev.sluice.trainer.control.ControlLog;
import dev.sluice.trainer.control.Wishes;
import dev.sluice.trainer.fate.Fate;
import dev.sluice.trainer.observe.Pulse;
import dev.sluice.trainer.ownership.Claims;
import dev.sluice.trainer.ownership.JobLease;
import dev.sluice.trainer.run.Backoff;
import dev.sluice.trainer.run.JobRunner;
import dev.sluice.trainer.run.Workshop;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;

/// Takes one job after the other, on the device's thread: the only thread that touches the compute backend.
///
/// Jobs come from the log, not from a consumer group: a group hands a job out again while it still runs.
final class Trainer implements AutoCloseable {

    private static final Logger LOG = Logger.getLogger(Trainer.class);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(250);
    private static final Duration BROKER_PAUSE = Duration.ofSeconds(1);

    private final Parts parts;
    private final JobRunner runner;
    private final Backoff backoff;
    private final Semaphore changes = new Semaphore(0);
    private volatile boolean stopping;
    private volatile JobLease lease;
    private volatile Wishes wishes;

    /// What a trainer is made of.
    ///
    /// @param onDeviceLoss ends the process, so that a fresh one starts
    record Parts(Workshop shop, Claims claims, ControlLog control, Duration retryAfter, Runnable onDeviceLoss) {}

    Trainer(Parts parts) {
        this.parts = parts;
        this.runner = new JobRunner(parts.shop());
        this.backoff = new Backoff(parts.retryAfter(), System::nanoTime);
        parts.shop().jobs().onChange(changes::release);
    }

    /// The job that runs now.
    Optional<JobLease> current() {
        return Optional.ofNullable(lease);
    }

    /// Takes jobs until [#stop]. Call it on the device's thread.
    void run() throws InterruptedException {
        Pulse pulse = parts.shop().pulse();
        while (!stopping) {
            pulse.beat();
            Optional<JobLease> next = next();
            if (next.isPresent()) {
                train(next.get());
            } else {
                changes.tryAcquire(LOOK_AGAIN.toMillis(), TimeUnit.MILLISECONDS);
                changes.drainPermits();
            }
        }
    }

    /// Ends the running job after its step, with a checkpoint, and takes no other.
    void stop() {
        stopping = true;
        Wishes running = wishes;
        if (running != null) {
            running.preempt("its trainer is shutting down");
        }
        changes.release();
    }

    /// Gives up what is still running: it must be found by its expired lease.
    @Override
    public void close() {
        stop();
        JobLease held = lease;
        if (held != null) {
            held.close();
        }
    }

    private Optional<JobLease> next() throws InterruptedException {
        for (var job : parts.shop().jobs().claimable(backoff::isPaused)) {
            try {
                Optional<JobLease> claimed = parts.claims().claim(job.jobId(), parts.control().isCancelled(job.jobId()));
                if (claimed.isPresent()) {
                    return claimed;
                }
            } catch (KafkaException | FencedException e) {
                LOG.infof("job %s cannot be claimed now: %s", job.jobId(), e.getMessage());
                Thread.sleep(BROKER_PAUSE);
                return Optional.empty();
            }
        }
        return Optional.empty();
    }

    private void train(JobLease claimed) {
        String jobId = claimed.state().jobId();
        try (claimed) {
            lease = claimed;
            wishes = parts.control().watch(jobId);
            if (stopping) {
                stop();
            }
            conclude(jobId, runner.run(claimed, wishes));
        } finally {
            lease = null;
            wishes = null;
        }
    }

    private void conclude(String jobId, Fate fate) {
        switch (fate) {
            case Fate.Published _, Fate.Cancelled _, Fate.Reject _, Fate.Dropped _ -> backoff.forget(jobId);
            case Fate.Preempted _ -> backoff.yield(jobId);
            case Fate.Retry _ -> backoff.trouble(jobId);
            case Fate.Stop _ -> {
                stopping = true;
                parts.onDeviceLoss().run();
            }
        }
    }
}
