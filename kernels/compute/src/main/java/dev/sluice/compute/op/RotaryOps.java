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
}
