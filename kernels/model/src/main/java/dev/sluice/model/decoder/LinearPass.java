package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LinearOps.Branch;
import java.util.List;

/// Linear layers forward and backward, each with scratch memory of its own. Heads count as columns: [tokens, heads, width]
/// is read as [tokens, heads * width].
record LinearPass(Backend backend) {
    /// What LoRA keeps between its two matrices: [tokens, rank], or null without an adapter.
    Tensor z(TapeTensors tensors, Linear layer, long tokens) {
        return layer == null || layer.rank() == 0 ? null
                : tensors.take(ActivationLevel.HOST, "lora.z", backend.activationType(), tokens, layer.rank());
    }

    void forward(Tensor x, Linear layer, Tensor z, Tensor y, Scope scope) {
        try (Scope scratch = scope.child("linear")) {
            backend.linear().forward(matrix(x), layer, z, matrix(y), scratch);
        }
    }

    /// The product again, with the forward pass's z.
    void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scope) {
        try (Scope scratch = scope.child("linear")) {
            backend.linear().recompute(matrix(x), layer, z, matrix(y), scratch);
        }
    }

    /// @param dx null where nothing below is trained
    void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scope) {
        if (dx == null && layer.lora() == null) {
            return;
        }
        try (Scope scratch = scope.child("linear")) {
            backend.linear().backward(matrix(dy), matrix(x), z, layer, dx == null ? null : matrix(dx), mode, scratch);
        }
    }

    /// Several layers of one input.
    void forward(Tensor x, List<Branch> branches, Scope scope) {
        try (Scope scratch = scope.child("linear")) {
            backend.linear().forward(matrix(x), matrices(branches), scratch);
        }
    }

    /// Their products again, with the forward pass's z.
    void recompute(Tensor x, List<Branch> branches, Scope scope) {
        try (Scope scratch = scope.child("linear")) {
            backend.linear().recompute(matrix(x), matrices(branches), scratch);
        }
    }

    /// @param branches each with the gradient of its output
    /// @param dx null where nothing below is trained
    void backward(Tensor x, List<Branch> branches, Tensor dx, Accumulate mode, Scope scope) {
        try (Scope scratch = scope.child("linear")) {
            backend.linear().backward(matrix(x), matrices(branches), dx == null ? null : matrix(dx), mode, scratch);
        }
    }

    private static List<Branch> matrices(List<Branch> branches) {
        return branches.stream().map(one -> new Branch(one.layer(), one.z(), matrix(one.y()))).toList();
    }

    static Tensor matrix(Tensor heads) {
        return heads.rank() == 2 ? heads : heads.reshape(heads.dim(0), heads.elements() / heads.dim(0));
    }
}
