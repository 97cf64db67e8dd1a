package dev.sluice.trainer.run;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BackoffTest {

    private final AtomicLong nanos = new AtomicLong();
    private final Backoff backoff = new Backoff(Duration.ofSeconds(30), nanos::get);

    @Test
    void pausesGrowFourfoldUpToTenMinutes() {
        assertEquals(List.of(30L, 120L, 480L, 600L, 600L), IntStream.range(0, 5).mapToObj(_ -> pauseSeconds()).toList());
    }

    @Test
    void forgottenTroubleStartsOverAgain() {
        pauseSeconds();
        backoff.forget("j");
        assertEquals(30, pauseSeconds());
    }

    private long pauseSeconds() {
        backoff.trouble("j");
        long seconds = 0;
        while (backoff.isPaused("j")) {
            nanos.addAndGet(Duration.ofSeconds(1).toNanos());
            seconds++;
        }
        return seconds;
    }
}
