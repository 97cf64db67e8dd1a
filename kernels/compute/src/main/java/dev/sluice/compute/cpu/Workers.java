package dev.sluice.compute.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/// A fixed pool that runs numbered tasks; the calling thread works along.
///
/// Which thread takes which task is open, so a task's result may depend only on its number. Operations therefore cut
/// their work by shape alone, never by the number of threads, and the same bits come out on any machine size.
final class Workers implements AutoCloseable {
    /// One piece of work.
    @FunctionalInterface
    interface Task {
        /// @param index which piece, 0 to tasks-1
        /// @param worker which thread's scratch memory to use, 0 to [Workers#count]-1
        void run(int index, int worker);
    }

    /// A range of rows.
    @FunctionalInterface
    interface Range {
        void run(int from, int to, int worker);
    }

    /// Handed out to all workers; its counter says which task is next.
    private record Batch(int tasks, Task task, AtomicInteger next, AtomicInteger unfinished,
            AtomicReference<Throwable> failure) {}

    /// Looks for the next batch some tens of microseconds before a worker sleeps: batches follow each other closely, and
    /// waking takes as long.
    private static final int SPINS = 2000;

    private final Thread[] threads;
    private volatile Batch current;
    private volatile boolean closed;

    Workers(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("cpu workers: at least 1 thread is needed, got " + count);
        }
        threads = new Thread[count - 1];
        for (int i = 0; i < threads.length; i++) {
            int worker = i + 1;
            threads[i] = Thread.ofPlatform().daemon().name("sluice-cpu-" + worker).unstarted(() -> serve(worker));
        }
        for (Thread thread : threads) {
            thread.start();
        }
    }

    /// Threads that run tasks, the caller included.
    int count() {
        return threads.length + 1;
    }

    /// Runs tasks 0 to `tasks`-1 and returns when all are done.
    ///
    /// @throws RuntimeException or Error: the first failure of a task
    void run(int tasks, Task task) {
        if (threads.length == 0 || tasks <= 1) {
            for (int i = 0; i < tasks; i++) {
                task.run(i, 0);
            }
            return;
        }
        var batch = new Batch(tasks, task, new AtomicInteger(), new AtomicInteger(tasks), new AtomicReference<>());
        current = batch;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
        drain(batch, 0);
        awaitEnd(batch);
        rethrow(batch.failure.get());
    }

    /// Cuts `rows` into ranges of `rowsPerTask` and runs them.
    void rows(int rows, int rowsPerTask, Range range) {
        run(Math.ceilDiv(rows, rowsPerTask), (task, worker) ->
                range.run(task * rowsPerTask, Math.min(rows, (task + 1) * rowsPerTask), worker));
    }

    private void serve(int worker) {
        Batch done = null;
        while (!closed) {
            Batch batch = await(done);
            if (batch != null) {
                drain(batch, worker);
                done = batch;
            }
        }
    }

    private Batch await(Batch done) {
        for (int spin = 0; spin < SPINS; spin++) {
            if (current != done) {
                return current;
            }
            Thread.onSpinWait();
        }
        LockSupport.park(this);
        return current == done ? null : current;
    }

    private static void drain(Batch batch, int worker) {
        for (int i = batch.next.getAndIncrement(); i < batch.tasks; i = batch.next.getAndIncrement()) {
            try {
                if (batch.failure.get() == null) {
                    batch.task.run(i, worker);
                }
            } catch (Throwable failure) {
                batch.failure.compareAndSet(null, failure);
            } finally {
                batch.unfinished.decrementAndGet();
            }
        }
    }

    private static void awaitEnd(Batch batch) {
        for (int spin = 0; batch.unfinished.get() > 0; spin++) {
            if (spin < SPINS) {
                Thread.onSpinWait();
            } else {
                Thread.yield();
            }
        }
    }

    private static void rethrow(Throwable failure) {
        switch (failure) {
            case null -> { }
            case RuntimeException unchecked -> throw unchecked;
            case Error error -> throw error;
            case Throwable checked -> throw new IllegalStateException("cpu worker failed", checked);
        }
    }

    @Override
    public void close() {
        closed = true;
        for (Thread thread : threads) {
            LockSupport.unpark(thread);
        }
    }
}
