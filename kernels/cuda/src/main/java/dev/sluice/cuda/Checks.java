package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;

/// What several operations require of their tensors before a kernel may touch them.
final class Checks {
    private Checks() {}

    /// A stack of frozen matrices [experts, out, in], plain or packed.
    static void stack(String operation, Weight weight, long experts, long out, long in) {
        switch (weight) {
            case Weight.Dense(var values) -> values.require(operation, DType.BFLOAT16, experts, out, in);
            case Weight.Packed packed -> packed.codes().require(operation, DType.UINT8, experts, out,
                    in / packed.packing().numbersPerByte());
        }
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

    /// The biases of a stack of experts in any float format, or null.
    static void stackBias(String operation, Tensor bias, long experts, long width) {
        if (bias != null) {
            Launch.code(bias.require(operation, bias.dtype(), experts, width).dtype());
        }
    }
}
