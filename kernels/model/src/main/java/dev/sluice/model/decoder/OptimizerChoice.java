package dev.sluice.model.decoder;

import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.op.OptimizerState;

/// Which state of the optimiser was asked for.
public enum OptimizerChoice {
    /// Exact where that costs no activations that could be kept beside the lean one, else lean.
    AUTO,
    EXACT,
    LEAN;

    /// No choice: a run that goes on keeps to what it began with.
    public static OptimizerChoice of(OptimizerState state) {
        return switch (state) {
            case EXACT -> EXACT;
            case LEAN -> LEAN;
        };
    }

    /// As [MemoryPlan#choose], and the optimiser's state: that of the plan which is returned.
    ///
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers if the run cannot fit
    public ActivationChoice choose(MemoryPlan plan, int tokens, MemoryWish wish, MemoryStatus memory) {
        return switch (this) {
            case AUTO -> exactIfForFree(plan.with(OptimizerState.LEAN).choose(tokens, wish, memory), plan.with(OptimizerState.EXACT));
            case EXACT -> plan.with(OptimizerState.EXACT).choose(tokens, wish, memory);
            case LEAN -> plan.with(OptimizerState.LEAN).choose(tokens, wish, memory);
        };
    }

    private static ActivationChoice exactIfForFree(ActivationChoice lean, MemoryPlan exact) {
        long total = lean.totalBytes() - lean.plan().adapterBytes() + exact.adapterBytes();
        return total <= lean.allowedBytes()
                ? new ActivationChoice(lean.policy(), exact, lean.tokens(), total, lean.allowedBytes(), lean.hostBytes()) : lean;
    }
}
