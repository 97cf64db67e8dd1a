package dev.sluice.trainer.ownership;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.job.JobState;
import dev.sluice.trainer.fixture.States;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class LeaseWatchTest {

    private static final Duration LEASE = Duration.ofSeconds(15);
    private final AtomicLong nanos = new AtomicLong();
    private final LeaseWatch watch = new LeaseWatch(nanos::get);

    @Test
    void leaseRunsOutOnlyAfterItsLengthOnOurOwnClock() {
        JobState running = running(States.NOW);
        watch.saw(running);
        pass(LEASE.minusNanos(1));
        assertFalse(watch.hasExpired(running));
        pass(Duration.ofNanos(1));
        assertTrue(watch.hasExpired(running));
    }

    @Test
    void renewalStartsTheLeaseAnew() {
        JobState running = running(States.NOW);
        watch.saw(running);
        pass(LEASE);
        JobState renewed = Transitions.renewed(running, 1, 10, LEASE, States.NOW.plusSeconds(4)).getFirst();
        assertFalse(watch.hasExpired(renewed));
    }

    @Test
    void ownersClockMayBeAnHourOff() {
        for (Instant now : new Instant[] {States.NOW.minus(Duration.ofHours(1)), States.NOW.plus(Duration.ofHours(1))}) {
            JobState skewed = running(now);
            watch.saw(skewed);
            pass(LEASE.minusSeconds(1));
            assertFalse(watch.hasExpired(skewed), "kept while it is renewed in time");
            pass(Duration.ofSeconds(1));
            assertTrue(watch.hasExpired(skewed), "and lost when it is not");
        }
    }

    @Test
    void trainerThatJustStartedWaitsOneLease() {
        JobState old = running(States.NOW);
        assertFalse(watch.hasExpired(old));
        pass(LEASE);
        assertTrue(watch.hasExpired(old));
    }

    @Test
    void jobWithoutOwnerHasNoLease() {
        assertFalse(watch.hasExpired(States.queued("j")));
    }

    private void pass(Duration time) {
        nanos.addAndGet(time.toNanos());
    }

    private static JobState running(Instant now) {
        return Transitions.claimed(States.queued("j"), new Verdict.Take(1, 1), "t", LEASE, now).getLast();
    }
}
