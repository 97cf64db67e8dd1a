package dev.sluice.trainer.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchPlanTest {

    @Test
    void fileOrderTakesRowsOneAfterTheOther() {
        var plan = new BatchPlan(8, 1, 2, false, 1);
        assertEquals(List.of(List.of(0), List.of(1)), plan.microBatches(0));
        assertEquals(List.of(List.of(6), List.of(7)), plan.microBatches(3));
        assertEquals(List.of(List.of(0), List.of(1)), plan.microBatches(4), "the next epoch begins again");
    }

    @Test
    void lastStepOfAnEpochMayBeShort() {
        var plan = new BatchPlan(7, 2, 2, false, 1);
        assertEquals(2, plan.stepsPerEpoch());
        assertEquals(List.of(List.of(4, 5), List.of(6)), plan.microBatches(1));
    }

    @Test
    void everyEpochHasEveryRowOnceInAnOrderOfItsOwn() {
        var plan = new BatchPlan(101, 3, 4, true, 42);
        List<List<Integer>> epochs = new ArrayList<>();
        for (int epoch = 0; epoch < 3; epoch++) {
            int first = epoch * plan.stepsPerEpoch();
            epochs.add(IntStream.range(first, first + plan.stepsPerEpoch()).boxed()
                    .flatMap(step -> plan.microBatches(step).stream()).flatMap(List::stream).toList());
            assertEquals(IntStream.range(0, 101).boxed().toList(), epochs.getLast().stream().sorted().toList());
        }
        assertNotEquals(epochs.get(0), epochs.get(1));
        assertNotEquals(epochs.get(1), epochs.get(2));
    }

    @Test
    void orderIsTheSameOnEveryMachine() {
        assertEquals(List.of(5, 1, 0, 6, 4, 2, 7, 3), new BatchPlan(8, 1, 1, true, 42).order(0));
    }
}
