package dev.sluice.ingest.job;

import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.Transaction;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.EventWriter;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.apache.kafka.common.errors.TimeoutException;

/// The jobs as the log has them, and the one gate through which ingest changes them.
public final class Jobs {

    private static final Duration REFRESH_TIMEOUT = Duration.ofSeconds(30);

    private final CompactedView<JobState> view;
    private final EventWriter events;
    private final ReentrantLock gate = new ReentrantLock();
    private final Object changed = new Object();

    public Jobs(CompactedView<JobState> view, EventWriter events) {
        this.view = view;
        this.events = events;
        view.onChange((_, _) -> {
            synchronized (changed) {
                changed.notifyAll();
            }
        });
    }

    public Optional<JobState> get(String jobId) {
        return view.get(jobId);
    }

    /// All jobs, newest first.
    public List<JobState> all() {
        return view.values().stream().sorted(Comparator.comparing(JobState::submittedAt).reversed()).toList();
    }

    /// Jobs that wait for their rows, oldest first.
    List<JobState> submitted() {
        return all().reversed().stream().filter(job -> job.phase() == JobPhase.SUBMITTED).toList();
    }

    /// The first job with this key that did not end in vain.
    Optional<JobState> byKey(String idempotencyKey) {
        return all().reversed().stream().filter(job -> idempotencyKey.equals(job.idempotencyKey()) && !endedInVain(job.phase())).findFirst();
    }

    static boolean endedInVain(JobPhase phase) {
        return switch (phase) {
            case REJECTED, FAILED, CANCELLED -> true;
            case SUBMITTED, QUEUED, RUNNING, PREEMPTED, LOST, PUBLISHING, SUCCEEDED -> false;
        };
    }

    /// Waits for `jobId` to be taken in.
    Optional<JobState> await(String jobId, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        synchronized (changed) {
            while (view.get(jobId).isEmpty()) {
                long left = (deadline - System.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    return Optional.empty();
                }
                changed.wait(left);
            }
        }
        return view.get(jobId);
    }

    /// Waits until any job changes, or the time is over.
    void awaitChange(Duration timeout) throws InterruptedException {
        synchronized (changed) {
            changed.wait(timeout.toMillis());
        }
    }

    /// Runs `work` on an up-to-date view while nobody else in this process changes a job.
    void exclusively(Consumer<Jobs> work) throws InterruptedException {
        gate.lockInterruptibly();
        try {
            refresh();
            work.accept(this);
            refresh();
        } finally {
            gate.unlock();
        }
    }

    /// Changes a job if it still is in phase `from`.
    ///
    /// @return whether it was
    boolean change(String jobId, JobPhase from, TransactionalProducer producer, UnaryOperator<JobState> edit) throws InterruptedException {
        boolean[] done = {false};
        exclusively(_ -> view.get(jobId).filter(job -> job.phase() == from).ifPresent(job -> {
            JobState next = edit.apply(job);
            producer.commit(transaction -> send(transaction, next));
            done[0] = true;
        }));
        return done[0];
    }

    void send(Transaction transaction, JobState state) {
        transaction.send(events.message(Topic.JOB_STATE, state.jobId(), state));
    }

    void refresh() throws InterruptedException {
        if (!view.refreshToEnd(REFRESH_TIMEOUT)) {
            throw new TimeoutException("read the job states: not at their end after " + REFRESH_TIMEOUT.toSeconds() + " s; is the broker up?");
        }
    }
}
