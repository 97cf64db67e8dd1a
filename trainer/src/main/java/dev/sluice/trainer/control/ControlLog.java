package dev.sluice.trainer.control;

import dev.sluice.contracts.job.Control;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Follows `control.v1`, all of it from the beginning, on a thread of its own, so that a wish reaches a busy trainer.
///
/// CANCEL is remembered for good: it may come before the job is queued, or while no trainer is up. Ingest ends cancelled
/// jobs that nobody has claimed. CHECKPOINT and PREEMPT mean the run at hand; without one they mean nothing.
public final class ControlLog implements AutoCloseable {

    private final Set<String> cancelled = ConcurrentHashMap.newKeySet();
    private final CompactedView<Control> view;
    private volatile Wishes current;

    public ControlLog(KafkaConnection connection, Topics topics) {
        // Every message counts here, not only the latest of its key, so it is taken in while it is read.
        this.view = new CompactedView<>(connection, topics.name(Topic.CONTROL), this::take);
    }

    public boolean awaitLoaded(Duration timeout) throws InterruptedException {
        return view.awaitCaughtUp(timeout);
    }

    public boolean isCancelled(String jobId) {
        return cancelled.contains(jobId);
    }

    /// The wishes for a job that starts now; they replace those of the job before.
    public Wishes watch(String jobId) {
        current = new Wishes(jobId);
        if (isCancelled(jobId)) {
            current.cancel();
        }
        return current;
    }

    private Control take(byte[] message) throws IOException {
        Control control = Json.read(message, Control.class);
        String jobId = control.jobId();
        switch (control.operation()) {
            case CANCEL -> {
                cancelled.add(jobId); // before looking for the run, as watch() does the reverse: neither can miss the other
                running(jobId).ifPresent(Wishes::cancel);
            }
            case CHECKPOINT -> running(jobId).ifPresent(Wishes::checkpoint);
            case PREEMPT -> running(jobId).ifPresent(wishes ->
                    wishes.preempt(control.reason() == null ? "preempted on request" : control.reason()));
            case UNKNOWN -> { }
        }
        return control;
    }

    private Optional<Wishes> running(String jobId) {
        return Optional.ofNullable(current).filter(wishes -> wishes.jobId().equals(jobId));
    }

    @Override
    public void close() {
        view.close();
    }
}
