package dev.sluice.cuda;

import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ConvolutionOps;

/// Refuses: no kernel convolves yet.
final class CudaConvolution implements ConvolutionOps {
    @Override
    public void forward(Tensor x, Segments segments, Tensor taps, Tensor bias, Tensor y) {
        throw Checks.missing("a short convolution");
    }

    @Override
    public void backward(Tensor dy, Segments segments, Tensor taps, Tensor dx) {
        throw Checks.missing("a short convolution");
    }
}
