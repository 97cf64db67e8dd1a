package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.NormOps;
import java.util.Arrays;

/// Twin of `norm.cu`.
final class CudaNorm implements NormOps {
    private static final int THREADS = TileSizes.of("NORM_THREADS");
    private static final int WARP = 32;
    private static final int CHUNK = 8;
    private static final int ALIGNMENT = 16;

    private final Device device;
    private final ElementwiseOps elementwise;

    CudaNorm(Device device, ElementwiseOps elementwise) {
        this.device = device;
        this.elementwise = elementwise;
    }

    /// Threads of a row, and how many pieces of 8 columns each holds in registers.
    private record Variant(int threads, int chunks) {
        /// Those of `norm.cu`, the smallest first.
        private static final Variant[] ALL = {new Variant(16, 1), new Variant(WARP, 2), new Variant(WARP, 4), new Variant(WARP, 8),
            new Variant(THREADS, 4), new Variant(THREADS, 8)};

        private static Variant of(long width) {
            return Arrays.stream(ALL).filter(one -> width <= (long) one.threads * one.chunks * CHUNK).findFirst().orElse(null);
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor y, Tensor rstd) {
        long rows = rows("rms norm", x, weight, rstd);
        y.require("rms norm", DType.BFLOAT16, x.shape());
        launch("rms_norm", x, aligned(x, weight, y)).pointer(x).pointerAndFormat(weight).float32(epsilon).pointer(y).pointer(rstd)
                .int64(rows).int32(x.dim(-1)).run();
    }

    @Override
    public void addRmsNorm(Tensor x, Tensor added, Tensor weight, float epsilon, Tensor sum, Tensor y, Tensor rstd) {
        String operation = "add and rms norm";
        long rows = rows(operation, x, weight, rstd);
        for (var tensor : new Tensor[] {added, sum, y}) {
            tensor.require(operation, DType.BFLOAT16, x.shape());
        }
        if (!aligned(x, added, sum, weight, y) || Variant.of(x.dim(-1)) == null) {
            elementwise.add(x, added, sum);
            rmsNorm(sum, weight, epsilon, y, rstd);
            return;
        }
        launch("add_rms_norm", x, true).pointer(x).pointer(added).pointer(sum).pointerAndFormat(weight).float32(epsilon).pointer(y)
                .pointer(rstd).int64(rows).int32(x.dim(-1)).run();
    }

    @Override
    public void rmsNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Accumulate mode) {
        long rows = rows("rms norm backward", x, weight, rstd);
        dy.require("rms norm backward", DType.BFLOAT16, x.shape());
        dx.require("rms norm backward", DType.BFLOAT16, x.shape());
        launch("rms_norm_backward", x, aligned(dy, x, weight, dx)).pointer(dy).pointer(x).pointerAndFormat(weight).pointer(rstd).pointer(dx)
                .flag(mode == Accumulate.ADD).int64(rows).int32(x.dim(-1)).run();
    }

    private Launch launch(String kernel, Tensor x, boolean aligned) {
        long width = x.dim(-1);
        var variant = aligned ? Variant.of(width) : null;
        int threads = variant == null ? WARP : variant.threads;
        return device.launch(kernel + (variant == null ? "_any" : "_" + threads + "_" + variant.chunks))
                .grid(Math.ceilDiv(x.elements() / width, THREADS / threads)).block(THREADS);
    }

    /// Whether every row can be read 16 bytes at a time.
    private static boolean aligned(Tensor... tensors) {
        return tensors[0].dim(-1) % CHUNK == 0 && Arrays.stream(tensors).allMatch(tensor -> tensor.address() % ALIGNMENT == 0);
    }

    private static long rows(String operation, Tensor x, Tensor weight, Tensor rstd) {
        x.require(operation, DType.BFLOAT16, x.shape());
        Checks.vector(operation, weight, x.dim(-1));
        long rows = x.elements() / x.dim(-1);
        if (rstd.dtype() != DType.FLOAT32 || rstd.elements() != rows) {
            throw new IllegalArgumentException(operation + ": " + rstd + " should be FLOAT32 with " + rows + " elements");
        }
        return rows;
    }
}
