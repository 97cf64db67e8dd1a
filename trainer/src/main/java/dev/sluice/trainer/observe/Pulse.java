package dev.sluice.trainer.observe;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/// The sign of life of the trainer's own threads: the device thread beats at every step, a lease at every renewal or
/// attempt at one. The broker has no say in it.
public final class Pulse {

    private final AtomicLong lastNanos = new AtomicLong(System.nanoTime());

    public void beat() {
        lastNanos.set(System.nanoTime());
    }

    public Duration sinceLastBeat() {
        return Duration.ofNanos(System.nanoTime() - lastNanos.get());
    }
}
