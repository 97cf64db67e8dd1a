package dev.sluice.model.training;

import java.util.Locale;

/// Learning rate over a run as a factor of its peak, after a linear warm-up. The formulas are transformers'
/// (`get_scheduler`), so the first step of a warm-up has factor 0.
public enum Schedule {
    CONSTANT {
        @Override
        double afterWarmup(double progress) {
            return 1;
        }
    },
    LINEAR {
        @Override
        double afterWarmup(double progress) {
            return Math.max(0, 1 - progress);
        }
    },
    COSINE {
        @Override
        double afterWarmup(double progress) {
            return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
        }
    };

    /// @param progress how much of the time after the warm-up has passed, 0 at its end
    abstract double afterWarmup(double progress);

    /// Factor of the learning rate of the step that follows `completed` finished ones.
    public double factor(long completed, long warmupSteps, long totalSteps) {
        if (completed < warmupSteps) {
            return (double) completed / warmupSteps;
        }
        return afterWarmup((double) (completed - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
    }

    /// @throws IllegalArgumentException listing the known words
    public static Schedule parse(String word) {
        try {
            return valueOf(word.toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("schedule must be constant, linear or cosine, was " + word, e);
        }
    }
}
