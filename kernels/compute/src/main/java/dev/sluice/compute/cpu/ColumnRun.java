package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;

/// A run of columns in two matrices, checked. A row is everything but the last dimension.
///
/// @param from address of the first row's run
/// @param to address of the first row's run
record ColumnRun(long from, int fromRows, int fromWidth, long to, int toRows, int toWidth) {
    static ColumnRun of(String operation, Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        return new ColumnRun(start(operation, from, fromColumn, columns), rows(from), Math.toIntExact(from.dim(-1)),
                start(operation, to, toColumn, columns), rows(to), Math.toIntExact(to.dim(-1)));
    }

    private static long start(String operation, Tensor tensor, int column, int columns) {
        tensor.require(operation, DType.FLOAT32, tensor.shape());
        if (column < 0 || columns < 1 || column + columns > tensor.dim(-1)) {
            throw new IllegalArgumentException(operation + ": columns " + column + " to " + (column + columns - 1)
                    + " are not all in " + tensor);
        }
        return at(tensor.address(), column);
    }

    private static int rows(Tensor tensor) {
        return Math.toIntExact(tensor.elements() / tensor.dim(-1));
    }

    /// @throws IllegalArgumentException if the smaller number of rows does not divide the larger
    int ratio(String operation, int many, int few) {
        if (few < 1 || many % few != 0) {
            throw new IllegalArgumentException(operation + ": " + many + " rows are not a multiple of " + few);
        }
        return many / few;
    }

    long from(int row) {
        return at(from, (long) row * fromWidth);
    }

    long to(int row) {
        return at(to, (long) row * toWidth);
    }
}
