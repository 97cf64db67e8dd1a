package dev.sluice.model.config;

import dev.sluice.compute.op.RouterOps;

/// The second half of a layer.
public sealed interface FeedForwardConfig {
    /// One gated layer of that width.
    record DenseConfig(int width) implements FeedForwardConfig {}

    /// A router and a stack of gated experts.
    ///
    /// @param width inner width of one expert
    /// @param normalize divide the weights of the picks by their sum
    record SparseConfig(int experts, int topK, int width, boolean normalize, RouterOps.Kind router)
            implements FeedForwardConfig {}
}
