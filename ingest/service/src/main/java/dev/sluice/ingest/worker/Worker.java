package dev.sluice.ingest.worker;

import dev.sluice.contracts.log.FencedException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/// A thread that runs sessions: each loads its state from the log, works until something fails, and is thrown away. The
/// next one starts from what was committed, so a failure and a crash are the same case.
public final class Worker implements AutoCloseable {

    /// One life: returns only when [#isStopping].
    @FunctionalInterface
    public interface Session {
        void run(Worker worker) throws Exception;
    }

    private static final Logger LOG = Logger.getLogger(Worker.class);
    private static final Duration RETRY = Duration.ofSeconds(1);
    private static final Duration STOP_TIMEOUT = Duration.ofSeconds(10);

    private final Thread thread;
    private final CountDownLatch stop = new CountDownLatch(1);
    private volatile WorkerState state = WorkerState.STARTING;
    private volatile long lastBeatNanos = System.nanoTime();

    public Worker(String name, Session session) {
        thread = Thread.ofPlatform().name(name).daemon().unstarted(() -> live(session));
    }

    public Worker start() {
        thread.start();
        return this;
    }

    /// The session says that it has loaded its state and works.
    public void running() {
        state = WorkerState.RUNNING;
        beat();
    }

    /// The session says that it moves.
    public void beat() {
        lastBeatNanos = System.nanoTime();
    }

    public boolean isStopping() {
        return stop.getCount() == 0;
    }

    public WorkerState state() {
        return state;
    }

    public String name() {
        return thread.getName();
    }

    /// Time since the thread last moved.
    public Duration sinceBeat() {
        return Duration.ofNanos(System.nanoTime() - lastBeatNanos);
    }

    @Override
    public void close() {
        stop.countDown();
        try {
            thread.join(STOP_TIMEOUT);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        }
    }

    private void live(Session session) {
        while (!isStopping()) {
            try {
                state = WorkerState.STARTING;
                beat();
                session.run(this);
            } catch (FencedException e) {
                LOG.errorf("%s: another ingest has taken over; this one stops. Run one instance only: %s", name(), e.getMessage());
                state = WorkerState.FENCED;
                return;
            } catch (Exception e) {
                retry(e);
            }
        }
        state = WorkerState.STOPPED;
    }

    private void retry(Exception failure) {
        if (!isStopping()) {
            state = WorkerState.RETRYING;
            LOG.warnf(failure, "%s: starts anew in %d ms: %s", name(), RETRY.toMillis(), failure.getMessage());
        }
        try {
            stop.await(RETRY.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
            stop.countDown();
        }
    }
}
