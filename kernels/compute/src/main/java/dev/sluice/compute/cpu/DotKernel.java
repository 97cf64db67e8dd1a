package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.whole;

import jdk.incubator.vector.FloatVector;

/// `c = a b^T` for very few rows of a, where reading b once is all the work: both operands are read along k as they lie
/// in memory, four rows of b at a time, and nothing is packed.
final class DotKernel {
    private static final int COLUMNS = 4;

    private DotKernel() {}

    static void nt(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        int j = 0;
        for (; j + COLUMNS <= n; j += COLUMNS) {
            long columns = at(b, (long) j * ldb);
            int i = 0;
            for (; i + 1 < m; i += 2) {
                twoRows(k, alpha, at(a, (long) i * lda), 4L * lda, columns, 4L * ldb, add, at(c, (long) i * ldc + j), 4L * ldc);
            }
            if (i < m) {
                oneRow(k, alpha, at(a, (long) i * lda), columns, 4L * ldb, add, at(c, (long) i * ldc + j));
            }
        }
        for (; j < n; j++) {
            for (int i = 0; i < m; i++) {
                put(Rows.dot(at(a, (long) i * lda), at(b, (long) j * ldb), k), alpha, add, at(c, (long) i * ldc + j));
            }
        }
    }

    private static void twoRows(int k, float alpha, long a, long aRow, long b, long bRow, boolean add, long c, long cRow) {
        var zero = FloatVector.zero(SPECIES);
        FloatVector s0 = zero, s1 = zero, s2 = zero, s3 = zero, t0 = zero, t1 = zero, t2 = zero, t3 = zero;
        int whole = whole(k);
        for (int p = 0; p < whole; p += LANES) {
            long skip = 4L * p;
            var first = load(a + skip);
            var second = load(a + aRow + skip);
            var column = load(b + skip);
            s0 = first.fma(column, s0);
            t0 = second.fma(column, t0);
            column = load(b + bRow + skip);
            s1 = first.fma(column, s1);
            t1 = second.fma(column, t1);
            column = load(b + 2 * bRow + skip);
            s2 = first.fma(column, s2);
            t2 = second.fma(column, t2);
            column = load(b + 3 * bRow + skip);
            s3 = first.fma(column, s3);
            t3 = second.fma(column, t3);
        }
        put(tail(s0, whole, k, a, b), alpha, add, c);
        put(tail(s1, whole, k, a, b + bRow), alpha, add, c + 4);
        put(tail(s2, whole, k, a, b + 2 * bRow), alpha, add, c + 8);
        put(tail(s3, whole, k, a, b + 3 * bRow), alpha, add, c + 12);
        put(tail(t0, whole, k, a + aRow, b), alpha, add, c + cRow);
        put(tail(t1, whole, k, a + aRow, b + bRow), alpha, add, c + cRow + 4);
        put(tail(t2, whole, k, a + aRow, b + 2 * bRow), alpha, add, c + cRow + 8);
        put(tail(t3, whole, k, a + aRow, b + 3 * bRow), alpha, add, c + cRow + 12);
    }

    private static void oneRow(int k, float alpha, long a, long b, long bRow, boolean add, long c) {
        var zero = FloatVector.zero(SPECIES);
        FloatVector s0 = zero, s1 = zero, s2 = zero, s3 = zero;
        int whole = whole(k);
        for (int p = 0; p < whole; p += LANES) {
            long skip = 4L * p;
            var row = load(a + skip);
            s0 = row.fma(load(b + skip), s0);
            s1 = row.fma(load(b + bRow + skip), s1);
            s2 = row.fma(load(b + 2 * bRow + skip), s2);
            s3 = row.fma(load(b + 3 * bRow + skip), s3);
        }
        put(tail(s0, whole, k, a, b), alpha, add, c);
        put(tail(s1, whole, k, a, b + bRow), alpha, add, c + 4);
        put(tail(s2, whole, k, a, b + 2 * bRow), alpha, add, c + 8);
        put(tail(s3, whole, k, a, b + 3 * bRow), alpha, add, c + 12);
    }

    private static float tail(FloatVector sums, int from, int k, long a, long b) {
        float total = Lanes.sum(sums);
        for (int p = from; p < k; p++) {
            total = Math.fma(get(at(a, p)), get(at(b, p)), total);
        }
        return total;
    }

    private static void put(float sum, float alpha, boolean add, long c) {
        float value = sum * alpha;
        set(c, add ? value + get(c) : value);
    }
}
