package dev.sluice.model.peft;

/// One matrix of an adapter file and where its numbers lie in the adapter's block: element (row, column) is number
/// `offset + place(row) * rowStride + column / interleave + column % interleave * interleaveStride`.
///
/// @param alternating the file's even rows are the first half of the block's, the odd ones the second
/// @param interleave 1, or the number of experts where the file keeps their columns expert-fastest
record FileTensor(String name, int rows, int columns, long offset, long rowStride, boolean alternating, int interleave,
        long interleaveStride) {
    static FileTensor matrix(String name, int rows, int columns, long offset, long rowStride) {
        return new FileTensor(name, rows, columns, offset, rowStride, false, 1, 0);
    }

    static FileTensor contiguous(String name, int rows, int columns, long offset) {
        return matrix(name, rows, columns, offset, columns);
    }

    long index(int row, int column) {
        return offset + place(row) * rowStride + column / interleave + column % interleave * interleaveStride;
    }

    private int place(int row) {
        return alternating ? row % 2 * (rows / 2) + row / 2 : row;
    }

    long[] shape() {
        return new long[] {rows, columns};
    }
}
