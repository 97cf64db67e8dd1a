package dev.sluice.compute.op;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Tensor;

/// Root-mean-square normalisation over the last dimension. Source: Zhang and Sennrich 2019.
public interface NormOps {
    /// `rstd = 1 / sqrt(mean(x^2) + epsilon)`, `y = weight * (x * rstd)`.
    ///
    /// @param x [..., width]; every leading index is a row of its own, so per-head norms pass [tokens, heads, width]
    /// @param weight [width]
    /// @param y as x; may be x itself
    /// @param rstd FLOAT32 [rows]
    void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor y, Tensor rstd);

    /// `sum = x + added`, rounded to its type, and [#rmsNorm] of that.
    ///
    /// @param added as x
    /// @param sum as x; may be x or added itself
    /// @param y as x
    void addRmsNorm(Tensor x, Tensor added, Tensor weight, float epsilon, Tensor sum, Tensor y, Tensor rstd);

    /// Gradient with respect to x. The weight is frozen.
    ///
    /// @param x the forward pass's input
    /// @param dx as x; may be dy itself when replaced
    void rmsNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor rstd, Tensor dx, Accumulate mode);
}
