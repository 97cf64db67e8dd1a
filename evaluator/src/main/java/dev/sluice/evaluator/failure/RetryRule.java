package dev.sluice.evaluator.failure;

import java.time.Duration;

/// How often, and after which pause, a score that could not be made is tried again.
///
/// @param attempts tries before something missing counts as missing for good
/// @param first pause after the first try; twice as long each further time, at most five minutes
public record RetryRule(int attempts, Duration first) {

    private static final Duration LONGEST = Duration.ofMinutes(5);
    private static final int MOST_DOUBLINGS = 20;

    public RetryRule {
        if (attempts < 1) {
            throw new IllegalArgumentException("sluice.evaluator.attempts must be at least 1, was " + attempts);
        }
    }

    /// Whether to try again after `tries` tries that ended like this.
    public boolean allows(Failure failure, int tries) {
        return switch (failure) {
            case Failure.Unscorable _, Failure.Unfit _ -> false;
            case Failure.Missing _ -> tries < attempts;
            case Failure.Away _ -> true;
        };
    }

    public Duration pause(int tries) {
        Duration pause = first.multipliedBy(1L << Math.min(tries - 1, MOST_DOUBLINGS));
        return pause.compareTo(LONGEST) > 0 ? LONGEST : pause;
    }
}
