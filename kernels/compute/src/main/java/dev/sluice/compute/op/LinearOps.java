package dev.sluice.compute.op;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.util.List;

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

    /// One of several layers of one input.
    ///
    /// @param z [rows, rank], or null where the layer has no LoRA
    /// @param y [rows, out], written forward; its gradient, read backward
    record Branch(Linear layer, Tensor z, Tensor y) {}

    /// [#forward] of several layers of one input. Backends that read x once for all of them override this.
    ///
    /// @param x [rows, in]
    default void forward(Tensor x, List<Branch> branches, Scope scratch) {
        for (Branch branch : branches) {
            try (Scope own = scratch.child("branch")) {
                forward(x, branch.layer, branch.z, branch.y, own);
            }
        }
    }

    /// [#recompute] of several layers of one input, bit for bit what [#forward] of the same ones gave.
    default void recompute(Tensor x, List<Branch> branches, Scope scratch) {
        for (Branch branch : branches) {
            try (Scope own = scratch.child("branch")) {
                recompute(x, branch.layer, branch.z, branch.y, own);
            }
        }
    }

    /// [#backward] of several layers of one input: dx is the sum of what each gives.
    ///
    /// @param dx [rows, in], or null where no layer below is trained
    default void backward(Tensor x, List<Branch> branches, Tensor dx, Accumulate mode, Scope scratch) {
        Accumulate next = mode;
        for (Branch branch : branches) {
            try (Scope own = scratch.child("branch")) {
                backward(branch.y, x, branch.z, branch.layer, dx, next, own);
            }
            next = Accumulate.ADD;
        }
    }
}
