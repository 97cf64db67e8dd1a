package dev.sluice.trainer.run;

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/// Pauses before this trainer tries a troubled job again: four times as long each time, at most ten minutes. Other
/// trainers may try at once; perhaps the trouble is ours.
public final class Backoff {

    private static final Duration LONGEST = Duration.ofMinutes(10);
    private static final int FACTOR = 4;

    private final Duration first;
    private final LongSupplier nanos;
    private final Map<String, Pause> pauses = new ConcurrentHashMap<>();

    private record Pause(Duration length, long endNanos) {}

    /// @param nanos monotonic clock
    public Backoff(Duration first, LongSupplier nanos) {
        this.first = first;
        this.nanos = nanos;
    }

    /// The job had trouble: pause it, longer than last time.
    public void trouble(String jobId) {
        pauses.compute(jobId, (_, last) -> pause(last == null ? first : shorter(last.length.multipliedBy(FACTOR))));
    }

    /// The job was given back by us: let others have it first.
    public void yield(String jobId) {
        pauses.put(jobId, pause(first));
    }

    public void forget(String jobId) {
        pauses.remove(jobId);
    }

    public boolean isPaused(String jobId) {
        Pause pause = pauses.get(jobId);
        return pause != null && nanos.getAsLong() - pause.endNanos < 0;
    }

    private Pause pause(Duration length) {
        return new Pause(length, nanos.getAsLong() + length.toNanos());
    }

    private static Duration shorter(Duration length) {
        return length.compareTo(LONGEST) < 0 ? length : LONGEST;
    }
}
