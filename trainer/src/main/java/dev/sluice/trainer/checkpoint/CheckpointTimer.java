package dev.sluice.trainer.checkpoint;

import java.time.Duration;
import java.util.function.LongSupplier;

/// Says when a checkpoint is due: every so many steps, and when too much time has passed since the last one.
public final class CheckpointTimer {

    private final int everySteps;
    private final long everyNanos;
    private final LongSupplier nanos;
    private long lastNanos;

    /// @param nanos monotonic clock
    public CheckpointTimer(int everySteps, Duration interval, LongSupplier nanos) {
        this.everySteps = everySteps;
        this.everyNanos = interval.toNanos();
        this.nanos = nanos;
        this.lastNanos = nanos.getAsLong();
    }

    /// @param step optimiser steps done
    public boolean isDue(int step) {
        return step % everySteps == 0 || nanos.getAsLong() - lastNanos >= everyNanos;
    }

    public void saved() {
        lastNanos = nanos.getAsLong();
    }
}
