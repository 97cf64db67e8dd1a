package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.sluice.contracts.wire.FieldChecks;

/// How to train, in TRL's and transformers' names and with their defaults unless stated.
///
/// @param maxLength `max_length`: longest row in tokens, default 1024
/// @param batchSize `per_device_train_batch_size`: rows of a micro-batch, default 1
/// @param accumulate `gradient_accumulation_steps`: micro-batches of a step, default 1
/// @param steps `max_steps`: optimiser steps; absent: `epochs` decides
/// @param epochs `num_train_epochs`: passes over the rows, default 1; ignored when `steps` is given
/// @param learningRate `learning_rate`, default 2e-4
/// @param schedule `lr_scheduler_type`, default linear
/// @param warmupSteps `warmup_steps`; absent: `warmup_ratio` decides
/// @param warmupRatio `warmup_ratio`: share of all steps, default 0
/// @param weightDecay `weight_decay`, default 0
/// @param beta1 `adam_beta1`, default 0.9
/// @param beta2 `adam_beta2`, default 0.999
/// @param epsilon `adam_epsilon`, default 1e-8
/// @param clip `max_grad_norm`: global norm of the gradient, default 1; 0 switches it off
/// @param seed default 42
/// @param packing several examples in a row, default true
/// @param shuffle rows in an order drawn from the seed, default true
/// @param precision default auto
public record Training(Integer maxLength, @JsonProperty("per_device_train_batch_size") Integer batchSize,
        @JsonProperty("gradient_accumulation_steps") Integer accumulate, @JsonProperty("max_steps") Integer steps,
        @JsonProperty("num_train_epochs") Double epochs, Double learningRate, @JsonProperty("lr_scheduler_type") Schedule schedule,
        Integer warmupSteps, Double warmupRatio, Double weightDecay, @JsonProperty("adam_beta1") Double beta1,
        @JsonProperty("adam_beta2") Double beta2, @JsonProperty("adam_epsilon") Double epsilon, @JsonProperty("max_grad_norm") Double clip,
        Long seed, Boolean packing, Boolean shuffle, Precision precision) {

    public Training {
        maxLength = or(maxLength, 1024);
        batchSize = or(batchSize, 1);
        accumulate = or(accumulate, 1);
        epochs = steps == null ? or(epochs, 1.0) : epochs;
        learningRate = or(learningRate, 2e-4);
        schedule = or(schedule, Schedule.LINEAR);
        warmupRatio = warmupSteps == null ? or(warmupRatio, 0.0) : warmupRatio;
        weightDecay = or(weightDecay, 0.0);
        beta1 = or(beta1, 0.9);
        beta2 = or(beta2, 0.999);
        epsilon = or(epsilon, 1e-8);
        clip = or(clip, 1.0);
        seed = or(seed, 42L);
        packing = or(packing, true);
        shuffle = or(shuffle, true);
        precision = or(precision, Precision.AUTO);
        new FieldChecks().require(maxLength >= 2, "max_length", "at least 2", maxLength)
                .atLeast(batchSize, 1, "per_device_train_batch_size")
                .atLeast(accumulate, 1, "gradient_accumulation_steps")
                .require(steps == null || steps >= 1, "max_steps", "at least 1", steps)
                .require(epochs == null || (epochs > 0 && Double.isFinite(epochs)), "num_train_epochs", "above 0", epochs)
                .notNegative(learningRate, "learning_rate")
                .require(warmupSteps == null || warmupSteps >= 0, "warmup_steps", "at least 0", warmupSteps)
                .require(warmupRatio == null || (warmupRatio >= 0 && warmupRatio <= 1), "warmup_ratio", "between 0 and 1", warmupRatio)
                .notNegative(weightDecay, "weight_decay")
                .require(beta1 >= 0 && beta1 < 1, "adam_beta1", "at least 0 and below 1", beta1)
                .require(beta2 >= 0 && beta2 < 1, "adam_beta2", "at least 0 and below 1", beta2)
                .require(epsilon > 0, "adam_epsilon", "above 0", epsilon)
                .notNegative(clip, "max_grad_norm")
                .verify();
    }

    public static Training defaults() {
        return new Training(null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);
    }

    /// Optimiser steps over `rows` rows of training data: `max_steps`, or what the epochs come to (the last step may be short).
    public int totalSteps(long rows) {
        if (steps != null) {
            return steps;
        }
        long stepsPerEpoch = Math.ceilDiv(Math.ceilDiv(rows, (long) batchSize), (long) accumulate);
        return Math.toIntExact(Math.max(1, (long) Math.ceil(epochs * stepsPerEpoch)));
    }

    /// Warm-up steps of a run of `totalSteps`, rounded up as transformers does.
    public int warmupSteps(int totalSteps) {
        return warmupSteps != null ? warmupSteps : (int) Math.ceil(warmupRatio * totalSteps);
    }

    private static <T> T or(T value, T standard) {
        return value == null ? standard : value;
    }
}
