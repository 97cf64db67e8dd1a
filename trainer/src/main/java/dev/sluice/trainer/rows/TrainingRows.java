package dev.sluice.trainer.rows;

import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.job.Training;
import dev.sluice.model.TokenRow;
import java.util.List;
import java.util.stream.IntStream;

/// The rows of a job, and which of them each step takes.
public final class TrainingRows {

    private final List<TokenRow> rows;
    private final BatchPlan plan;
    private final int totalSteps;

    private TrainingRows(List<TokenRow> rows, BatchPlan plan, int totalSteps) {
        this.rows = rows;
        this.plan = plan;
        this.totalSteps = totalSteps;
    }

    /// @throws IllegalArgumentException when there are no rows
    public static TrainingRows of(List<SequenceRow> sequences, Training training) {
        return new TrainingRows(sequences.stream().map(TrainingRows::row).toList(),
                new BatchPlan(sequences.size(), training.batchSize(), training.accumulate(), training.shuffle(), training.seed()),
                training.totalSteps(sequences.size()));
    }

    public BatchPlan plan() {
        return plan;
    }

    public int totalSteps() {
        return totalSteps;
    }

    /// Tokens that a micro-batch can have at most.
    public int largestMicroBatch() {
        int longest = rows.stream().mapToInt(TokenRow::tokens).max().orElseThrow();
        return Math.multiplyExact(longest, plan.batchSize());
    }

    /// The micro-batches of a step: each one token row, its rows side by side as segments, nothing padded.
    ///
    /// @param step 0 for the first
    public List<TokenRow> microBatches(int step) {
        return plan.microBatches(step).stream()
                .map(numbers -> TokenRow.concatenate(numbers.stream().map(rows::get).toList()))
                .toList();
    }

    /// The rows of the first epoch in the order they are trained, as far as the run's steps go.
    public List<TokenRow> firstEpoch() {
        return IntStream.range(0, Math.min(totalSteps, plan.stepsPerEpoch())).boxed()
                .flatMap(step -> plan.microBatches(step).stream())
                .flatMap(List::stream)
                .map(rows::get)
                .toList();
    }

    private static TokenRow row(SequenceRow sequence) {
        boolean[] mask = new boolean[sequence.length()];
        sequence.lossMask().stream().forEach(token -> mask[token] = true);
        return new TokenRow(sequence.tokenIds(), mask, sequence.segmentStarts());
    }
}
