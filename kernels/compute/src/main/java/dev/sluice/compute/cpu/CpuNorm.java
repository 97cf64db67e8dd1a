package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.load;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.store;
import static dev.sluice.compute.cpu.Memory.whole;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.NormOps;
import jdk.incubator.vector.FloatVector;

/// Root-mean-square normalisation, one row at a time.
final class CpuNorm implements NormOps {
    private static final int CHUNK = 1 << 14;

    private final Workers workers;
    private final ElementwiseOps elementwise;

    CpuNorm(Workers workers, ElementwiseOps elementwise) {
        this.workers = workers;
        this.elementwise = elementwise;
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor y, Tensor rstd) {
        String operation = "rms norm";
        int width = requireWidth(operation, x, weight);
        int rows = Math.toIntExact(x.elements() / width);
        y.require(operation, DType.FLOAT32, x.shape());
        long from = x.address();
        long to = y.address();
        long factors = weight.address();
        long inverse = requireRows(operation, rstd, rows);
        workers.rows(rows, Math.max(1, CHUNK / width), (first, end, _) -> {
            for (int r = first; r < end; r++) {
                long row = at(from, (long) r * width);
                float scale = (float) (1 / Math.sqrt(Rows.sumOfSquares(row, width) / width + epsilon));
                set(at(inverse, r), scale);
                normalize(row, scale, factors, width, at(to, (long) r * width));
            }
        });
    }

    @Override
    public void addRmsNorm(Tensor x, Tensor added, Tensor weight, float epsilon, Tensor sum, Tensor y, Tensor rstd) {
        elementwise.add(x, added, sum);
        rmsNorm(sum, weight, epsilon, y, rstd);
    }

    private static int requireWidth(String operation, Tensor x, Tensor weight) {
        weight.require(operation, DType.FLOAT32, -1);
        x.require(operation, DType.FLOAT32, x.shape());
        if (x.rank() == 0 || x.dim(-1) != weight.dim(0) || weight.dim(0) == 0) {
            throw new IllegalArgumentException(operation + ": the last dimension of " + x + " should be that of " + weight);
        }
        return Math.toIntExact(weight.dim(0));
    }

    private static long requireRows(String operation, Tensor rstd, int rows) {
        if (rstd.dtype() != DType.FLOAT32 || rstd.elements() != rows) {
            throw new IllegalArgumentException(operation + ": " + rstd + " should be FLOAT32 with " + rows + " elements");
        }
        return rstd.address();
    }

    private static void normalize(long row, float scale, long factors, int width, long to) {
        int i = 0;
        for (; i < whole(width); i += LANES) {
            store(load(at(row, i)).mul(scale).mul(load(at(factors, i))), at(to, i));
        }
        for (; i < width; i++) {
            set(at(to, i), get(at(row, i)) * scale * get(at(factors, i)));
        }
    }

    @Override
    public void rmsNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Accumulate mode) {
        String operation = "rms norm backward";
        int width = requireWidth(operation, x, weight);
        int rows = Math.toIntExact(x.elements() / width);
        dy.require(operation, DType.FLOAT32, x.shape());
        dx.require(operation, DType.FLOAT32, x.shape());
        long gradient = dy.address();
        long from = x.address();
        long factors = weight.address();
        long inverse = requireRows(operation, rstd, rows);
        long to = dx.address();
        boolean add = mode == Accumulate.ADD;
        workers.rows(rows, Math.max(1, CHUNK / width), (first, end, _) -> {
            for (int r = first; r < end; r++) {
                long skip = (long) r * width;
                backwardRow(at(gradient, skip), at(from, skip), factors, get(at(inverse, r)), width, add, at(to, skip));
            }
        });
    }

    /// `dx = rstd * (w * dy - x * rstd^2 * mean(w * dy * x))`.
    private static void backwardRow(long dy, long x, long factors, float rstd, int width, boolean add, long dx) {
        float mean = weightedDot(dy, x, factors, width) / width;
        float pull = -rstd * rstd * rstd * mean;
        var pulls = FloatVector.broadcast(SPECIES, pull);
        int i = 0;
        for (; i < whole(width); i += LANES) {
            var own = load(at(dy, i)).mul(load(at(factors, i))).mul(rstd);
            var total = load(at(x, i)).fma(pulls, own);
            store(add ? total.add(load(at(dx, i))) : total, at(dx, i));
        }
        for (; i < width; i++) {
            float total = Math.fma(get(at(x, i)), pull, get(at(dy, i)) * get(at(factors, i)) * rstd);
            set(at(dx, i), add ? total + get(at(dx, i)) : total);
        }
    }

    private static float weightedDot(long dy, long x, long factors, int width) {
        var sums = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i < whole(width); i += LANES) {
            sums = load(at(dy, i)).mul(load(at(factors, i))).fma(load(at(x, i)), sums);
        }
        float total = Lanes.sum(sums);
        for (; i < width; i++) {
            total = Math.fma(get(at(dy, i)) * get(at(factors, i)), get(at(x, i)), total);
        }
        return total;
    }
}
