package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.store;

import jdk.incubator.vector.FloatVector;

/// The innermost product: a few rows of a times a panel of b, two vectors wide, summed in registers.
///
/// Six rows keep twelve sums in flight, which covers the latency of the fused multiply-add and, with the panel's two
/// vectors and a factor, fits the sixteen registers of AVX2.
final class MicroKernel {
    static final int ROWS = 6;

    private MicroKernel() {}

    /// `tile[6, 2 * LANES] = a[6, k] * b[k, 2 * LANES]`; strides in floats.
    static void rows(int k, long a, int aRow, int aStep, long b, int bStep, long tile) {
        var zero = FloatVector.zero(SPECIES);
        FloatVector s00 = zero, s01 = zero, s10 = zero, s11 = zero, s20 = zero, s21 = zero;
        FloatVector s30 = zero, s31 = zero, s40 = zero, s41 = zero, s50 = zero, s51 = zero;
        long skip = 4L * aRow;
        for (int p = 0; p < k; p++) {
            long row = at(b, (long) p * bStep);
            var low = load(row);
            var high = load(at(row, LANES));
            long column = at(a, (long) p * aStep);
            var factor = FloatVector.broadcast(SPECIES, get(column));
            s00 = factor.fma(low, s00);
            s01 = factor.fma(high, s01);
            factor = FloatVector.broadcast(SPECIES, get(column + skip));
            s10 = factor.fma(low, s10);
            s11 = factor.fma(high, s11);
            factor = FloatVector.broadcast(SPECIES, get(column + 2 * skip));
            s20 = factor.fma(low, s20);
            s21 = factor.fma(high, s21);
            factor = FloatVector.broadcast(SPECIES, get(column + 3 * skip));
            s30 = factor.fma(low, s30);
            s31 = factor.fma(high, s31);
            factor = FloatVector.broadcast(SPECIES, get(column + 4 * skip));
            s40 = factor.fma(low, s40);
            s41 = factor.fma(high, s41);
            factor = FloatVector.broadcast(SPECIES, get(column + 5 * skip));
            s50 = factor.fma(low, s50);
            s51 = factor.fma(high, s51);
        }
        put(s00, s01, tile, 0);
        put(s10, s11, tile, 1);
        put(s20, s21, tile, 2);
        put(s30, s31, tile, 3);
        put(s40, s41, tile, 4);
        put(s50, s51, tile, 5);
    }

    /// `tile[1, 2 * LANES] = a[1, k] * b[k, 2 * LANES]`.
    static void row(int k, long a, int aStep, long b, int bStep, long tile) {
        var s0 = FloatVector.zero(SPECIES);
        var s1 = FloatVector.zero(SPECIES);
        for (int p = 0; p < k; p++) {
            long row = at(b, (long) p * bStep);
            var factor = FloatVector.broadcast(SPECIES, get(at(a, (long) p * aStep)));
            s0 = factor.fma(load(row), s0);
            s1 = factor.fma(load(at(row, LANES)), s1);
        }
        put(s0, s1, tile, 0);
    }

    private static void put(FloatVector low, FloatVector high, long tile, int row) {
        long to = at(tile, (long) row * 2 * LANES);
        store(low, to);
        store(high, at(to, LANES));
    }
}
