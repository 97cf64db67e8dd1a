package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;

/// What several operations require of their tensors before a kernel may touch them.
final class Checks {
    private Checks() {}

    /// The numbers of a frozen matrix in the format that the matrix kernels read.
    static Tensor dense(String operation, Weight weight) {
        return switch (weight) {
            case Weight.Dense(var values) -> {
                if (values.dtype() != DType.BFLOAT16) {
                    throw new IllegalArgumentException(operation + ": " + values + " should be BFLOAT16 on a GPU; load the model in it");
                }
                yield values;
            }
            case Weight.Packed packed -> throw missing("multiplying with weights packed in " + packed.packing());
        };
    }

    /// A vector in any float format.
    static Tensor vector(String operation, Tensor tensor, long size) {
        if (tensor.rank() != 1 || tensor.dim(0) != size) {
            throw new IllegalArgumentException(operation + ": " + tensor + " should be [" + size + "]");
        }
        Launch.code(tensor.dtype());
        return tensor;
    }

    /// z of a layer with this rank: null without LoRA.
    static void z(String operation, Tensor z, long rows, int rank) {
        if (rank > 0 && z == null) {
            throw new IllegalArgumentException(operation + ": a layer with LoRA needs z BFLOAT16 [" + rows + ", " + rank + "]");
        }
        if (rank > 0) {
            z.require(operation, DType.BFLOAT16, rows, rank);
        }
    }

    static void multipleOf(String operation, String what, long value, int unit) {
        if (value % unit != 0) {
            throw new IllegalArgumentException(operation + ": " + what + " should be a multiple of " + unit + " on a GPU, was " + value);
        }
    }

    /// What the GPU backends cannot do yet.
    static UnsupportedOperationException missing(String what) {
        return new UnsupportedOperationException(what + " is not implemented on a GPU yet; this model needs SLUICE_BACKEND=cpu");
    }
}
