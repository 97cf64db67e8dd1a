package dev.sluice.model.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ScheduleTest {
    @Test
    void warmupRisesFromZero() {
        for (Schedule schedule : Schedule.values()) {
            assertEquals(0, schedule.factor(0, 4, 10));
            assertEquals(0.75, schedule.factor(3, 4, 10));
            assertEquals(1, schedule.factor(4, 4, 10));
        }
    }

    @Test
    void constantStaysLinearAndCosineReachZeroAtTheEnd() {
        assertEquals(1, Schedule.CONSTANT.factor(10, 4, 10));
        assertEquals(0.5, Schedule.LINEAR.factor(7, 4, 10));
        assertEquals(0, Schedule.LINEAR.factor(10, 4, 10));
        assertEquals(0.5, Schedule.COSINE.factor(7, 4, 10), 1e-15);
        assertEquals(0.5 * (1 + Math.cos(Math.PI / 6)), Schedule.COSINE.factor(5, 4, 10), 1e-15);
        assertEquals(0, Schedule.COSINE.factor(10, 4, 10), 1e-15);
    }

    @Test
    void wordsAreThoseOfConfigurations() {
        assertEquals(Schedule.COSINE, Schedule.parse("cosine"));
        assertThrows(IllegalArgumentException.class, () -> Schedule.parse("step"));
    }
}
