package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerState;
import java.util.List;

/// Running averages of the gradients and of their squares.
sealed interface Moments {
    static Moments allocate(WholeBlocks run, OptimizerState state) {
        return switch (state) {
            case EXACT -> new Exact(run.zeros("adamw.mean", DType.FLOAT32), run.zeros("adamw.variance", DType.FLOAT32));
            case LEAN -> new Lean(run.zeros("adamw.mean", DType.UINT8), run.zeros("adamw.variance", DType.UINT8),
                    run.scales("adamw.mean.scale"), run.scales("adamw.variance.scale"));
        };
    }

    /// In the order of their names in a checkpoint.
    List<Tensor> tensors();

    /// FLOAT32 [size] each.
    record Exact(Tensor mean, Tensor variance) implements Moments {
        @Override
        public List<Tensor> tensors() {
            return List.of(mean, variance);
        }
    }

    /// Codes that `optimizer_lean.cu` explains: UINT8 [size] each, with a FLOAT32 scale of each for every block.
    record Lean(Tensor mean, Tensor variance, Tensor meanScale, Tensor varianceScale) implements Moments {
        @Override
        public List<Tensor> tensors() {
            return List.of(mean, variance, meanScale, varianceScale);
        }
    }
}
