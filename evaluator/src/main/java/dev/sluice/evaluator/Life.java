package dev.sluice.evaluator;

import java.time.Duration;
import java.util.concurrent.CancellationException;

/// The sign of life of the evaluator's thread, and its end.
public final class Life {

    private volatile State state = State.STARTING;
    private volatile boolean stopping;
    private volatile long lastBeatNanos = System.nanoTime();

    /// What the evaluator's thread is doing.
    public enum State {
        /// Waiting for the broker, reading the log back.
        STARTING,
        /// Scoring, or waiting for adapters.
        RUNNING,
        /// Another evaluator has taken over; this one writes nothing any more.
        FENCED,
        /// Ended.
        STOPPED
    }

    public State state() {
        return state;
    }

    public Duration sinceBeat() {
        return Duration.ofNanos(System.nanoTime() - lastBeatNanos);
    }

    public boolean isStopping() {
        return stopping;
    }

    /// The thread moves: between rows, between adapters.
    ///
    /// @throws CancellationException when it is to end; nothing half done was published
    void beat() {
        lastBeatNanos = System.nanoTime();
        if (stopping) {
            throw new CancellationException("the evaluator stops");
        }
    }

    void starting() {
        state = State.STARTING;
    }

    void running() {
        state = State.RUNNING;
    }

    void stop() {
        stopping = true;
    }

    void ended(State last) {
        state = last;
    }
}
