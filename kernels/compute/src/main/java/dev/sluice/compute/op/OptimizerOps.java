package dev.sluice.compute.op;

import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Adam with decoupled weight decay over one flat arena. Source: Loshchilov and Hutter 2019, algorithm 2.
public interface OptimizerOps {
    /// @param step 1 for the first update; the bias corrections use it
    /// @param maxNorm global gradient norm to clip to, or infinity
    record AdamW(double learningRate, double beta1, double beta2, double epsilon, double weightDecay, double maxNorm,
            long step) {
        public AdamW {
            if (step < 1) {
                throw new IllegalArgumentException("adamw: step must be at least 1, was " + step);
            }
        }
    }

    /// Allocates parameters, gradients and moments for `size` numbers; gradients and moments are zero.
    ///
    /// @param state what is kept of each; decides the type of the gradients
    ParameterArena arena(Scope run, long size, OptimizerState state);

    /// Norm of the gradients, clip, update, gradients back to zero. A non-finite norm skips the update.
    ///
    /// @param norm FLOAT32 [1], the global gradient norm before clipping
    void update(ParameterArena arena, AdamW settings, Tensor norm);
}
