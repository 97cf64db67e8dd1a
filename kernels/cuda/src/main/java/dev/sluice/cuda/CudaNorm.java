package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.NormOps;

/// Twin of `norm.cu`.
final class CudaNorm implements NormOps {
    private static final int ROW_THREADS = TileSizes.of("ROW_THREADS");

    private final Device device;

    CudaNorm(Device device) {
        this.device = device;
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor y, Tensor rstd) {
        long rows = rows("rms norm", x, weight, rstd);
        y.require("rms norm", DType.BFLOAT16, x.shape());
        launch("rms_norm", rows).pointer(x).pointerAndFormat(weight).float32(epsilon).pointer(y).pointer(rstd)
                .int64(rows).int32(x.dim(-1)).run();
    }

    @Override
    public void rmsNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Accumulate mode) {
        long rows = rows("rms norm backward", x, weight, rstd);
        dy.require("rms norm backward", DType.BFLOAT16, x.shape());
        dx.require("rms norm backward", DType.BFLOAT16, x.shape());
        launch("rms_norm_backward", rows).pointer(dy).pointer(x).pointerAndFormat(weight).pointer(rstd).pointer(dx)
                .flag(mode == Accumulate.ADD).int64(rows).int32(x.dim(-1)).run();
    }

    private Launch launch(String kernel, long rows) {
        return device.launch(kernel).grid(Math.ceilDiv(rows, ROW_THREADS / 32)).block(ROW_THREADS);
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
