package dev.sluice.compute.op;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// A frozen matrix product with its low-rank update inside.
public interface LinearOps {
    /// `z = scale * x A^T`, `y = x W^T + z B^T + bias`.
    ///
    /// @param x [rows, in]
    /// @param z [rows, rank], written for the backward pass; null where the layer has no LoRA
    /// @param y [rows, out]
    void forward(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch);

    /// `y = x W^T + z B^T + bias` with the z of an earlier [#forward] over the same x, bit for bit what that gave.
    ///
    /// @param z the forward pass's z; null where the layer has no LoRA
    /// @param y [rows, out]
    void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch);

    /// `dz = scale * dy B`, `dx = dy W + dz A`, `gradB += dy^T z`, `gradA += dz^T x`.
    ///
    /// @param dy [rows, out]
    /// @param x the forward pass's input
    /// @param z the forward pass's z; null where the layer has no LoRA
    /// @param dx [rows, in], or null where no layer below is trained
    void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch);
}
