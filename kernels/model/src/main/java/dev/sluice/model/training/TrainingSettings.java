package dev.sluice.model.training;

import dev.sluice.compute.op.OptimizerState;
import java.util.Objects;

/// How a run optimises.
///
/// @param learningRate peak learning rate
/// @param schedule its course over the run
/// @param warmupSteps optimiser steps of linear warm-up
/// @param totalSteps optimiser steps of the whole run, for the schedule
/// @param weightDecay decoupled weight decay
/// @param maxGradNorm global gradient norm to clip to; infinity never clips
/// @param optimizerState what the optimiser keeps of every parameter
public record TrainingSettings(double learningRate, Schedule schedule, long warmupSteps, long totalSteps, double beta1,
        double beta2, double epsilon, double weightDecay, double maxGradNorm, OptimizerState optimizerState) {
    public TrainingSettings {
        require(learningRate >= 0 && learningRate < Double.POSITIVE_INFINITY, "learning_rate must be at least 0", learningRate);
        require(totalSteps > 0, "max_steps must be at least 1", totalSteps);
        require(warmupSteps >= 0 && warmupSteps <= totalSteps, "warmup_steps must lie in 0.." + totalSteps, warmupSteps);
        require(beta1 >= 0 && beta1 < 1, "adam_beta1 must lie in [0, 1)", beta1);
        require(beta2 >= 0 && beta2 < 1, "adam_beta2 must lie in [0, 1)", beta2);
        require(epsilon > 0, "adam_epsilon must be positive", epsilon);
        require(weightDecay >= 0, "weight_decay must be at least 0", weightDecay);
        require(maxGradNorm > 0, "max_grad_norm must be positive", maxGradNorm);
        Objects.requireNonNull(optimizerState, "training: optimizer_state");
    }

    /// AdamW with betas 0.9 and 0.999, epsilon 1e-8, no weight decay, clip at 1, exact state.
    public static TrainingSettings of(double learningRate, Schedule schedule, long warmupSteps, long totalSteps) {
        return new TrainingSettings(learningRate, schedule, warmupSteps, totalSteps, 0.9, 0.999, 1e-8, 0, 1,
                OptimizerState.EXACT);
    }

    public TrainingSettings withWeightDecay(double newWeightDecay) {
        return new TrainingSettings(learningRate, schedule, warmupSteps, totalSteps, beta1, beta2, epsilon,
                newWeightDecay, maxGradNorm, optimizerState);
    }

    public TrainingSettings withMaxGradNorm(double newMaxGradNorm) {
        return new TrainingSettings(learningRate, schedule, warmupSteps, totalSteps, beta1, beta2, epsilon, weightDecay,
                newMaxGradNorm, optimizerState);
    }

    public TrainingSettings withOptimizerState(OptimizerState state) {
        return new TrainingSettings(learningRate, schedule, warmupSteps, totalSteps, beta1, beta2, epsilon, weightDecay,
                maxGradNorm, state);
    }

    private static void require(boolean holds, String rule, double value) {
        if (!holds) {
            throw new IllegalArgumentException("training: " + rule + ", was " + value);
        }
    }
}
