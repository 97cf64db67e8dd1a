package dev.sluice.compute.cpu;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerState;
import java.util.List;

/// Running averages of the gradients and of their squares.
sealed interface Moments {
    /// Allocates them as zeros.
    static Moments allocate(Scope run, long size, OptimizerState state) {
        long blocks = Math.ceilDiv(size, OptimizerState.BLOCK);
        Moments moments = switch (state) {
            case EXACT -> new Exact(run.allocate("mean", DType.FLOAT32, size), run.allocate("variance", DType.FLOAT32, size));
            case LEAN -> new Lean(run.allocate("mean", DType.UINT8, size), run.allocate("variance", DType.UINT8, size),
                    run.allocate("mean.scale", DType.FLOAT32, blocks), run.allocate("variance.scale", DType.FLOAT32, blocks));
        };
        moments.tensors().forEach(tensor -> tensor.segment().fill((byte) 0));
        return moments;
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

    /// Codes that [EightBits] explains: UINT8 [size] each, with a FLOAT32 scale of each for every block.
    record Lean(Tensor mean, Tensor variance, Tensor meanScale, Tensor varianceScale) implements Moments {
        @Override
        public List<Tensor> tensors() {
            return List.of(mean, variance, meanScale, varianceScale);
        }
    }
}
