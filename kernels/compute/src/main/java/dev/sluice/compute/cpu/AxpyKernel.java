package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import jdk.incubator.vector.FloatVector;

/// `c = a b` for very few rows of a, where reading b once is all the work: rows of b are read as they lie in memory,
/// four at a time, and added onto rows of c, which stay in the first-level cache.
final class AxpyKernel {
    private static final int DEPTH = 4;

    private AxpyKernel() {}

    static void nn(int m, int n, int k, float alpha, long a, int lda, long b, int ldb, boolean add, long c, int ldc) {
        for (int i = 0; i < m && !add; i++) {
            Rows.fill(at(c, (long) i * ldc), n, 0f);
        }
        int p = 0;
        for (; p + DEPTH <= k; p += DEPTH) {
            for (int i = 0; i < m; i++) {
                four(n, alpha, at(a, (long) i * lda + p), at(b, (long) p * ldb), 4L * ldb, at(c, (long) i * ldc));
            }
        }
        for (; p < k; p++) {
            for (int i = 0; i < m; i++) {
                Rows.addScaled(at(b, (long) p * ldb), n, alpha * get(at(a, (long) i * lda + p)), at(c, (long) i * ldc));
            }
        }
    }

    private static void four(int n, float alpha, long a, long b, long bRow, long c) {
        float f0 = alpha * get(a);
        float f1 = alpha * get(at(a, 1));
        float f2 = alpha * get(at(a, 2));
        float f3 = alpha * get(at(a, 3));
        var v0 = FloatVector.broadcast(SPECIES, f0);
        var v1 = FloatVector.broadcast(SPECIES, f1);
        var v2 = FloatVector.broadcast(SPECIES, f2);
        var v3 = FloatVector.broadcast(SPECIES, f3);
        int j = 0;
        for (; j < whole(n); j += LANES) {
            long column = at(b, j);
            var sum = load(column).fma(v0, load(at(c, j)));
            sum = load(column + bRow).fma(v1, sum);
            sum = load(column + 2 * bRow).fma(v2, sum);
            store(load(column + 3 * bRow).fma(v3, sum), at(c, j));
        }
        for (; j < n; j++) {
            long column = at(b, j);
            float sum = Math.fma(get(column), f0, get(at(c, j)));
            sum = Math.fma(get(column + bRow), f1, sum);
            sum = Math.fma(get(column + 2 * bRow), f2, sum);
            set(at(c, j), Math.fma(get(column + 3 * bRow), f3, sum));
        }
    }
}
