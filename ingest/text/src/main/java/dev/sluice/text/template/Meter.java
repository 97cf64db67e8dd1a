package dev.sluice.text.template;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/// Counts what one rendering costs and stops it at its [Budget].
final class Meter {

    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final long STEPS_BETWEEN_LOOKS = 4_096;
    private static final long CHARACTERS_PER_STEP = 256;

    private final Budget budget;
    private final long started = THREADS.getCurrentThreadCpuTime();
    private long steps;
    private long characters;
    private long nextLook = STEPS_BETWEEN_LOOKS;
    private int depth;

    Meter(Budget budget) {
        this.budget = budget;
    }

    void step() {
        steps(1);
    }

    void steps(long count) {
        steps += count;
        if (steps > budget.steps()) {
            throw EvaluationError.overBudget("more than " + budget.steps() + " steps");
        }
        if (steps >= nextLook) {
            nextLook = steps + STEPS_BETWEEN_LOOKS;
            look();
        }
    }

    /// Pays for making a string of this length, before it is made.
    void characters(long count) {
        characters += count;
        if (count < 0 || characters > budget.characters()) {
            throw EvaluationError.overBudget("strings of more than " + budget.characters() + " characters in all");
        }
        if (count >= CHARACTERS_PER_STEP) {
            steps(count / CHARACTERS_PER_STEP);
        }
    }

    /// Pays for appending to an output that has `length` characters so far.
    void output(int length, int more) {
        if (length + (long) more > budget.output()) {
            throw EvaluationError.overBudget("more than " + budget.output() + " characters of output");
        }
        characters(more);
    }

    void enter() {
        if (++depth > budget.depth()) {
            throw EvaluationError.overBudget("macros called more than " + budget.depth() + " deep");
        }
    }

    void leave() {
        depth--;
    }

    private void look() {
        long nanos = THREADS.getCurrentThreadCpuTime() - started;
        if (nanos > budget.time().toNanos()) {
            throw EvaluationError.overBudget("more than " + budget.time().toMillis() + " ms");
        }
    }
}
