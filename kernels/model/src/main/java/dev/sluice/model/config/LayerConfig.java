package dev.sluice.model.config;

/// One decoder layer.
public record LayerConfig(MixerConfig mixer, FeedForwardConfig feedForward) {}
