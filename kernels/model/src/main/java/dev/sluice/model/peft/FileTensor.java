package dev.sluice.model.peft;

/// One matrix of an adapter file and where its numbers lie in the adapter's block: element (row, column) is number
/// `offset + row * rowStride + column / interleave + column % interleave * interleaveStride`.
///
/// @param interleave 1, or the number of experts where the file keeps their columns expert-fastest
record FileTensor(String name, int rows, int columns, long offset, long rowStride, int interleave, long interleaveStride) {
    static FileTensor matrix(String name, int rows, int columns, long offset, long rowStride) {
        return new FileTensor(name, rows, columns, offset, rowStride, 1, 0);
    }

    static FileTensor contiguous(String name, int rows, int columns, long offset) {
        return matrix(name, rows, columns, offset, columns);
    }

    long index(int row, int column) {
        return offset + row * rowStride + column / interleave + column % interleave * interleaveStride;
    }

    long[] shape() {
        return new long[] {rows, columns};
    }
}
