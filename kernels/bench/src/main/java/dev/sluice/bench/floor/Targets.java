package dev.sluice.bench.floor;

/// Which matrices have adapters.
public enum Targets {
    /// Attention's projections and the stacks of experts.
    ALL,
    /// Attention's projections.
    ATTENTION
}
