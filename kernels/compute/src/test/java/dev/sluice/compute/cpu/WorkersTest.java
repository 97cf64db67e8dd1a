package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WorkersTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5})
    void everyTaskRunsOnce(int threads) {
        try (var workers = new Workers(threads)) {
            for (int round = 0; round < 200; round++) {
                var runs = new AtomicIntegerArray(round);
                workers.run(round, (task, _) -> runs.incrementAndGet(task));
                for (int task = 0; task < round; task++) {
                    assertEquals(1, runs.get(task));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3})
    void failureOfATaskReachesTheCallerAndThePoolLivesOn(int threads) {
        try (var workers = new Workers(threads)) {
            var failure = new IllegalStateException("task 7");
            assertSame(failure, assertThrows(IllegalStateException.class, () -> workers.run(20, (task, _) -> {
                if (task == 7) {
                    throw failure;
                }
            })));
            everyTaskRunsOnce(threads);
        }
    }

    @Test
    void twoTasksNeverShareAWorkerAtOnce() {
        try (var workers = new Workers(4)) {
            var busy = new AtomicIntegerArray(workers.count());
            workers.run(2000, (_, worker) -> {
                assertEquals(1, busy.incrementAndGet(worker));
                Thread.onSpinWait();
                busy.decrementAndGet(worker);
            });
        }
    }

    @Test
    void rowsAreCutWithoutGapsOrOverlap() {
        try (var workers = new Workers(2)) {
            var seen = new AtomicIntegerArray(103);
            workers.rows(103, 10, (from, to, _) -> {
                for (int row = from; row < to; row++) {
                    seen.incrementAndGet(row);
                }
            });
            for (int row = 0; row < 103; row++) {
                assertEquals(1, seen.get(row));
            }
        }
    }
}
