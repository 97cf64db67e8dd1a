package dev.sluice.compute.op;

import dev.sluice.compute.Tensor;

/// Rotary position embedding. Source: Su et al. 2021.
public interface RotaryOps {
    /// Which elements form a rotated pair.
    enum Pairing {
        /// Element i with element i + width/2 (Llama, Qwen).
        HALVES,
        /// Element 2i with element 2i + 1 (GPT-J, DeepSeek).
        INTERLEAVED
    }

    /// The rotation FORWARD applies, or its transpose for gradients.
    enum Direction {
        FORWARD,
        BACKWARD
    }

    /// Rotates the first `2 * cos.dim(1)` elements of every head in place; the rest stay as they are.
    ///
    /// @param x [tokens, heads, head_dim]
    /// @param positions INT32 [tokens], each below `cos.dim(0)`
    /// @param cos FLOAT32 [max positions, rotated / 2], attention factor already multiplied in
    /// @param sin as cos
    void rotate(Tensor x, Tensor positions, Tensor cos, Tensor sin, Pairing pairing, Direction direction);

    /// Where tokens stand, and what they are turned by there.
    ///
    /// @param positions INT32 [tokens], each below `cos.dim(0)`
    /// @param cos FLOAT32 [max positions, rotated / 2], attention factor already multiplied in
    /// @param sin as cos
    record Angles(Tensor positions, Tensor cos, Tensor sin, Pairing pairing) {}

    /// Heads that are normalised, each by itself, before they are rotated.
    ///
    /// @param projected [tokens, heads, head_dim], before the norm
    /// @param weight [head_dim], of the norm
    /// @param rstd FLOAT32 [tokens * heads], written forward and read by the gradient
    record NormedHeads(Tensor projected, Tensor weight, Tensor rstd) {}

    /// `rotated = rotate(rmsNorm(projected))` for a layer's queries and keys.
    ///
    /// @param rotatedQuery as `query.projected()`
    /// @param rotatedKey as `key.projected()`
    void normRotate(NormedHeads query, Tensor rotatedQuery, NormedHeads key, Tensor rotatedKey, float epsilon, Angles angles);

    /// Gradients of [#normRotate], in place.
    ///
    /// @param dQuery gradient of the rotated queries on entry, of the projected ones on return
    /// @param dKey the same for the keys
    void normRotateBackward(NormedHeads query, Tensor dQuery, NormedHeads key, Tensor dKey, Angles angles);
}
