package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ConvolutionOps;

/// Twin of `convolution.cu`.
final class CudaConvolution implements ConvolutionOps {
    private static final int THREADS = TileSizes.of("ROW_THREADS");

    private final Device device;

    CudaConvolution(Device device) {
        this.device = device;
    }

    @Override
    public void forward(Tensor x, Segments segments, Tensor taps, Tensor bias, Tensor y) {
        String operation = "convolution";
        check(operation, x, segments, taps, y);
        if (bias != null) {
            Checks.vector(operation, bias, x.dim(1));
        }
        launch("convolve", x, segments, taps).pointerAndFormat(bias).pointer(y).int32(x.dim(1)).run();
    }

    @Override
    public void backward(Tensor dy, Segments segments, Tensor taps, Tensor dx) {
        check("convolution backward", dy, segments, taps, dx);
        launch("convolve_backward", dy, segments, taps).pointer(dx).int32(dy.dim(1)).run();
    }

    private Launch launch(String kernel, Tensor from, Segments segments, Tensor taps) {
        return device.launch(kernel).grid(from.dim(0), Math.ceilDiv(from.dim(1), THREADS)).block(THREADS)
                .pointer(from).pointer(segments.device()).int32(segments.count()).pointerAndFormat(taps).int32(taps.dim(1));
    }

    private static void check(String operation, Tensor from, Segments segments, Tensor taps, Tensor to) {
        from.require(operation, DType.BFLOAT16, segments.tokens(), -1);
        to.require(operation, DType.BFLOAT16, from.shape());
        taps.require(operation, taps.dtype(), from.dim(1), -1);
        segments.device().require(operation, DType.INT32, segments.count() + 1L);
        if (from.address() == to.address()) {
            throw new IllegalArgumentException(operation + ": " + from + " cannot be its own result");
        }
    }
}
