package dev.sluice.ingest.record;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.common.TopicPartition;

/// How far the records have been read and committed. Others wait here for records that were sent before.
public final class Positions {

    private final Map<TopicPartition, Long> committed = new HashMap<>();
    private volatile long backlog;

    /// Records sent but not yet read, as the last poll saw it.
    public long backlog() {
        return backlog;
    }

    synchronized void update(Map<TopicPartition, Long> positions, long newBacklog) {
        committed.putAll(positions);
        backlog = newBacklog;
        notifyAll();
    }

    /// Waits until everything before `ends` has its fate.
    ///
    /// @return false when the time ran out
    public synchronized boolean await(Map<TopicPartition, Long> ends, Duration timeout) throws InterruptedException {
        long deadline = System.nanoTime() + timeout.toNanos();
        while (!reached(ends)) {
            long left = (deadline - System.nanoTime()) / 1_000_000;
            if (left <= 0) {
                return false;
            }
            wait(left);
        }
        return true;
    }

    private boolean reached(Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> end.getValue() == 0 || committed.getOrDefault(end.getKey(), 0L) >= end.getValue());
    }
}
