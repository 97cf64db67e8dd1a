package dev.sluice.model.config;

/// One decoder layer.
public record LayerConfig(AttentionConfig attention, FeedForwardConfig feedForward) {}
