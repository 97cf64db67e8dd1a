package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;

/// A run of columns in two matrices, checked; twin of `column_runs.cu`. A row is everything but the last dimension.
record ColumnRun(String operation, Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int UNIT = 8;

    static ColumnRun of(String operation, Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        check(operation, from, fromColumn, columns);
        check(operation, to, toColumn, columns);
        return new ColumnRun(operation, from, fromColumn, to, toColumn, columns);
    }

    private static void check(String operation, Tensor tensor, int column, int columns) {
        tensor.require(operation, DType.BFLOAT16, tensor.shape());
        if (column < 0 || columns < 1 || column + columns > tensor.dim(-1)) {
            throw new IllegalArgumentException(operation + ": columns " + column + " to " + (column + columns - 1)
                    + " are not all in " + tensor);
        }
    }

    long fromRows() {
        return from.elements() / from.dim(-1);
    }

    long toRows() {
        return to.elements() / to.dim(-1);
    }

    /// @throws IllegalArgumentException if the smaller number of rows does not divide the larger
    long ratio(long many, long few) {
        if (few < 1 || many % few != 0) {
            throw new IllegalArgumentException(operation + ": " + many + " rows are not a multiple of " + few);
        }
        return many / few;
    }

    void launch(Device device, String kernel, long repeat) {
        boolean wide = (from.dim(-1) | to.dim(-1) | fromColumn | toColumn | columns) % UNIT == 0
                && (from.address() | to.address()) % (UNIT * DType.BFLOAT16.bytes()) == 0;
        long pieces = toRows() * columns / (wide ? UNIT : 1);
        device.launch(kernel + (wide ? "" : "_any")).grid(Math.ceilDiv(pieces, FLAT_THREADS)).block(FLAT_THREADS).beginStruct()
                .pointer(from, fromColumn).pointer(to, toColumn).int32(from.dim(-1)).int32(to.dim(-1)).int32(columns).int32(repeat)
                .int32(pieces).endStruct().run();
    }
}
