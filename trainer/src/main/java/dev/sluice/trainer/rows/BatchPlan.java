package dev.sluice.trainer.rows;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/// Which rows each optimiser step trains on. A pure function of the step number, so the place in the data is the number
/// of steps done: a resumed run sees the rows that an uninterrupted one would.
///
/// @param rows rows of an epoch
/// @param batchSize rows of a micro-batch
/// @param accumulate micro-batches of a step; the last step of an epoch may have fewer, and its last one fewer rows
/// @param shuffled rows in an order drawn from seed and epoch, otherwise in file order
public record BatchPlan(int rows, int batchSize, int accumulate, boolean shuffled, long seed) {

    private static final long EPOCH_STRIDE = 1_000_003;

    public BatchPlan {
        if (rows < 1 || batchSize < 1 || accumulate < 1) {
            throw new IllegalArgumentException("a batch plan needs at least one row, a batch size and accumulation of at least 1; was "
                    + rows + " rows, " + batchSize + ", " + accumulate);
        }
    }

    public int stepsPerEpoch() {
        return Math.ceilDiv(Math.ceilDiv(rows, batchSize), accumulate);
    }

    /// Row numbers of every micro-batch of a step.
    ///
    /// @param step 0 for the first
    public List<List<Integer>> microBatches(int step) {
        List<Integer> order = order(step / stepsPerEpoch());
        int from = step % stepsPerEpoch() * batchSize * accumulate;
        int to = Math.min(rows, from + batchSize * accumulate);
        List<List<Integer>> batches = new ArrayList<>(accumulate);
        for (int start = from; start < to; start += batchSize) {
            batches.add(List.copyOf(order.subList(start, Math.min(to, start + batchSize))));
        }
        return batches;
    }

    /// Passes over the data after `steps` steps.
    public double epoch(int steps) {
        return (double) steps / stepsPerEpoch();
    }

    /// The row numbers of an epoch in the order they are trained. `java.util.Random` is specified to the bit.
    List<Integer> order(int epoch) {
        List<Integer> order = new ArrayList<>(IntStream.range(0, rows).boxed().toList());
        if (shuffled) {
            Random random = new Random(seed * EPOCH_STRIDE + epoch);
            for (int i = rows - 1; i > 0; i--) {
                order.set(i, order.set(random.nextInt(i + 1), order.get(i)));
            }
        }
        return order;
    }
}
