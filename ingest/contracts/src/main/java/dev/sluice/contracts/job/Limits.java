package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.FieldChecks;

/// What a job may use up.
///
/// @param maxAttempts claims before the job fails, default 3; a preemption does not count
/// @param maxSeconds wall-clock seconds over all attempts; absent: no limit
public record Limits(Integer maxAttempts, Long maxSeconds) {
    public Limits {
        maxAttempts = maxAttempts == null ? 3 : maxAttempts;
        new FieldChecks().atLeast(maxAttempts, 1, "max_attempts")
                .require(maxSeconds == null || maxSeconds >= 1, "max_seconds", "at least 1", maxSeconds)
                .verify();
    }

    public static Limits defaults() {
        return new Limits(null, null);
    }
}
