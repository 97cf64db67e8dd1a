package dev.sluice.compute.op;

import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;

/// Causal softmax attention over packed documents with grouped key-value heads; no score matrix is kept.
/// Source: Dao 2023, FlashAttention-2, sections 3.1 and 3.2.
public interface AttentionOps {
    /// What does not change between tokens.
    ///
    /// @param heads query heads, a multiple of `kvHeads`
    /// @param headDim width of a query and key head
    /// @param valueDim width of a value head
    /// @param scale factor of the scores before the softmax
    /// @param window how many keys a query sees, itself included; 0 for all earlier ones
    /// @param sinks [heads] logits that join the softmax without a value (gpt-oss), or null
    record Shape(int heads, int kvHeads, int headDim, int valueDim, float scale, int window, Tensor sinks) {
        public Shape {
            if (kvHeads < 1 || heads % kvHeads != 0) {
                throw new IllegalArgumentException(
                        "attention: " + heads + " query heads cannot share " + kvHeads + " key-value heads evenly");
            }
        }
    }

    /// @param q [tokens, heads, headDim]
    /// @param k [tokens, kvHeads, headDim]
    /// @param v [tokens, kvHeads, valueDim]
    /// @param out [tokens, heads, valueDim]
    /// @param lse FLOAT32 [tokens, heads], natural logarithm of the softmax denominator, for the backward pass
    void forward(Tensor q, Tensor k, Tensor v, Segments segments, Shape shape, Tensor out, Tensor lse, Scope scratch);

    /// Gradients of q, k and v; the scores are recomputed from lse.
    void backward(Tensor dOut, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Segments segments, Shape shape,
            Tensor dq, Tensor dk, Tensor dv, Scope scratch);
}
