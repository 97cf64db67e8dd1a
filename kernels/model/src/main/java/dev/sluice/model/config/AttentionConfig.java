package dev.sluice.model.config;

/// Grouped-query attention.
///
/// @param heads query heads
/// @param kvHeads key and value heads; each serves heads / kvHeads query heads
/// @param bias the projections have biases
/// @param qkNorm every query and key head is RMS-normalised before the rotation
/// @param scale factor of the scores
/// @param window keys a query sees, itself included; 0 for all
public record AttentionConfig(int heads, int kvHeads, int headDim, boolean bias, boolean qkNorm, float scale, int window) {
    /// Output width of the query projection.
    public int queryWidth() {
        return heads * headDim;
    }

    /// Output width of the key projection, and of the value projection.
    public int kvWidth() {
        return kvHeads * headDim;
    }
}
