package dev.sluice.compute.op;

import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;

/// Short causal convolutions over the tokens of every document, each column by itself. Source: Liquid AI 2025, LFM2.
public interface ConvolutionOps {
    /// `y[t, c] = bias[c] + sum over j of taps[c, j] * x[t - (length - 1) + j, c]`; what would lie before a token's
    /// document counts as zero.
    ///
    /// @param x [tokens, width]
    /// @param taps [width, length], frozen
    /// @param bias [width], or null
    /// @param y [tokens, width], not x
    void forward(Tensor x, Segments segments, Tensor taps, Tensor bias, Tensor y);

    /// Gradient of x.
    ///
    /// @param dy [tokens, width]
    /// @param dx [tokens, width], replaced, not dy
    void backward(Tensor dy, Segments segments, Tensor taps, Tensor dx);
}
