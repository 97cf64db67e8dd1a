package dev.sluice.model.decoder;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import java.util.List;

/// The frozen numbers of a decoder.
///
/// @param embedding [vocabulary, hidden]
/// @param finalNorm [hidden]
/// @param head [vocabulary, hidden]; the embedding itself where they are tied
public record DecoderWeights(Tensor embedding, Tensor finalNorm, Weight head, List<LayerWeights> layers) {
    /// One decoder layer.
    ///
    /// @param inputNorm [hidden]
    /// @param postAttentionNorm [hidden]
    public record LayerWeights(Tensor inputNorm, AttentionWeights attention, Tensor postAttentionNorm,
            FeedForwardWeights feedForward) {}

    /// Projections of an attention block.
    ///
    /// @param queryNorm [headDim], or null where heads are not normalised
    /// @param keyNorm [headDim], or null
    public record AttentionWeights(Projection query, Projection key, Projection value, Projection output,
            Tensor queryNorm, Tensor keyNorm) {}

    /// A linear layer without its adapter.
    ///
    /// @param bias [out], or null
    public record Projection(Weight weight, Tensor bias) {}

    /// The second half of a layer.
    public sealed interface FeedForwardWeights {}

    /// A gated layer: gate and up [width, hidden], down [hidden, width].
    public record DenseWeights(Projection gate, Projection up, Projection down) implements FeedForwardWeights {}

    /// Router [experts, hidden]; expert stacks gateUp [experts, 2 * width, hidden] and down [experts, hidden, width].
    public record SparseWeights(Tensor router, Weight gateUp, Weight down) implements FeedForwardWeights {}
}
