package dev.sluice.compute;

import java.util.Arrays;

/// A low-rank update of a frozen matrix: W + scale * B A is never built; `z = scale * x A^T` and `y += z B^T` instead.
///
/// Shapes for a linear layer: `a` [rank, in], `b` [out, rank]; for a stack of experts: `a` [experts, rank, in],
/// `b` [experts, out, rank]. The gradients have the shapes of their matrices; backward passes add to them.
/// Source: Hu et al. 2021, equation 3.
public record Lora(Tensor a, Tensor b, float scale, Tensor gradA, Tensor gradB) {
    public Lora {
        if (a.dim(-2) != b.dim(-1)) {
            throw new IllegalArgumentException("LoRA rank differs: " + a + " and " + b);
        }
        if (!Arrays.equals(a.shape(), gradA.shape()) || !Arrays.equals(b.shape(), gradB.shape())) {
            throw new IllegalArgumentException("LoRA gradients must have their matrices' shapes: " + a + " with " + gradA
                    + ", " + b + " with " + gradB);
        }
    }

    public int rank() {
        return Math.toIntExact(a.dim(-2));
    }
}
