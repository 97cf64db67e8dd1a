package dev.sluice.trainer.run;

import java.util.ArrayList;
import java.util.List;

/// Every step of a run, across all its attempts: it travels with the checkpoints.
///
/// @param seconds wall-clock time of the attempts so far
/// @param steps in order, from step 1
public record StepLog(double seconds, List<StepRecord> steps) {

    public static final StepLog EMPTY = new StepLog(0, List.of());

    public StepLog {
        steps = List.copyOf(steps);
    }

    StepLog with(List<StepRecord> more, double moreSeconds) {
        List<StepRecord> all = new ArrayList<>(steps);
        all.addAll(more);
        return new StepLog(seconds + moreSeconds, all);
    }

    public long trainedTokens() {
        return steps.stream().mapToLong(StepRecord::trainedTokens).sum();
    }
}
