package dev.sluice.model.decoder;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import java.util.List;

/// The frozen numbers of a decoder. Norm weights are what the normalised numbers are multiplied by, however the
/// checkpoint keeps them.
///
/// @param embedding [vocabulary, hidden]
/// @param finalNorm [hidden]
/// @param head [vocabulary, hidden]; the embedding itself where they are tied
public record DecoderWeights(Tensor embedding, Tensor finalNorm, Weight head, List<LayerWeights> layers) {
    /// One decoder layer; all norms are [hidden].
    ///
    /// @param mixerOutputNorm null where outputs are not normalised
    /// @param feedForwardOutputNorm null where outputs are not normalised
    public record LayerWeights(Tensor inputNorm, MixerWeights mixer, Tensor mixerOutputNorm, Tensor feedForwardNorm,
            FeedForwardWeights feedForward, Tensor feedForwardOutputNorm) {}

    /// The first half of a layer.
    public sealed interface MixerWeights {}

    /// Projections of grouped-query attention.
    ///
    /// @param queryNorm [headDim] or [heads * headDim], or null where queries are not normalised
    /// @param keyNorm [headDim] or [kvHeads * headDim], or null
    /// @param sinks [heads], or null
    public record GroupedWeights(Projection query, Projection key, Projection value, Projection output,
            Tensor queryNorm, Tensor keyNorm, Tensor sinks) implements MixerWeights {}

    /// Projections of latent attention.
    ///
    /// @param queryDown to the queries' latent, or null where `queryUp` projects the input itself
    /// @param queryNorm of the queries' latent, or null
    /// @param keyValueDown to the latent of keys and values, and behind it the rotated key that all heads share
    public record LatentWeights(Projection queryDown, Tensor queryNorm, Projection queryUp, Projection keyValueDown,
            Tensor keyValueNorm, Projection keyValueUp, Projection output) implements MixerWeights {}

    /// A short convolution between two projections.
    ///
    /// @param input to gate before, gate behind and what is convolved, [3 * hidden, hidden]
    /// @param taps [hidden, taps]
    /// @param bias [hidden], or null
    public record ConvolutionWeights(Projection input, Tensor taps, Tensor bias, Projection output) implements MixerWeights {}

    /// A linear layer without its adapter.
    ///
    /// @param bias [out], or null
    public record Projection(Weight weight, Tensor bias) {}

    /// The second half of a layer.
    public sealed interface FeedForwardWeights {}

    /// A gated layer: gate and up [width, hidden], down [hidden, width].
    public record DenseWeights(Projection gate, Projection up, Projection down) implements FeedForwardWeights {}

    /// Routed experts.
    ///
    /// @param shared what every token passes through beside its experts, or null
    public record SparseWeights(RouterWeights router, ExpertWeights experts, DenseWeights shared) implements FeedForwardWeights {}

    /// @param weight [experts, hidden], in FLOAT32 where the logits are exact
    /// @param bias [experts], or null
    /// @param correction FLOAT32 [experts], or null
    public record RouterWeights(Tensor weight, Tensor bias, Tensor correction) {}

    /// @param gateUp [experts, 2 * width, hidden]
    /// @param down [experts, hidden, width]
    /// @param gateUpBias [experts, 2 * width], or null
    /// @param downBias [experts, hidden], or null
    public record ExpertWeights(Weight gateUp, Weight down, Tensor gateUpBias, Tensor downBias) {}
}
