package dev.sluice.compute.cpu;

import dev.sluice.compute.DType;
import dev.sluice.compute.Weight;

/// A frozen weight, or a stack of them, as the products read it.
///
/// @param address of the first number of the first matrix
record Matrix(long address, int experts, int out, int in) {
    /// @throws IllegalArgumentException if it is not kept as plain float32
    static Matrix of(String operation, Weight weight) {
        return switch (weight) {
            case Weight.Dense(var values) -> {
                values.require(operation, DType.FLOAT32, values.shape());
                yield new Matrix(values.address(), values.rank() == 3 ? Math.toIntExact(values.dim(0)) : 1,
                        Math.toIntExact(weight.out()), Math.toIntExact(weight.in()));
            }
            case Weight.Packed packed -> throw new IllegalArgumentException(operation + ": " + packed.codes() + " is packed");
        };
    }

    /// Address of element [expert, row, column].
    long at(int expert, int row, int column) {
        return Memory.at(address, ((long) expert * out + row) * in + column);
    }
}
