package dev.sluice.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class CheckpointTimerTest {

    private final AtomicLong nanos = new AtomicLong();
    private final CheckpointTimer timer = new CheckpointTimer(10, Duration.ofMinutes(1), nanos::get);

    @Test
    void dueEverySoManySteps() {
        assertFalse(timer.isDue(9));
        assertTrue(timer.isDue(10));
        assertFalse(timer.isDue(11));
    }

    @Test
    void dueWhenTooMuchTimeHasPassedSinceTheLastOne() {
        nanos.set(Duration.ofSeconds(60).toNanos());
        assertTrue(timer.isDue(3));
        timer.saved();
        assertFalse(timer.isDue(4));
    }
}
