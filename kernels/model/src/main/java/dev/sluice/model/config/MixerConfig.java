package dev.sluice.model.config;

/// The first half of a layer, which mixes tokens: attention, or a short convolution.
public sealed interface MixerConfig permits AttentionConfig, MixerConfig.ShortConvolution {
    /// A causal convolution over a few tokens with a gate before and behind it: `out(c * convolve(b * x))` with
    /// `b, c, x = in(input)`, all of the model's width. Source: Liquid AI 2025, LFM2.
    ///
    /// @param taps tokens that one output sees, its own included
    /// @param bias convolution and projections have biases
    record ShortConvolution(int taps, boolean bias) implements MixerConfig {}
}
