package dev.sluice.model;

/// What frozen weights are packed into while they are loaded, beyond what their checkpoint has packed already.
public enum Quantization {
    /// Kept as the checkpoint has them, where the backend multiplies with that, else in the backend's type.
    NONE,
    /// Projections and experts in 4 bits and an eighth, except where the checkpoint has 4 bits already: QLoRA's base.
    /// Embedding, head, router, norms and biases stay plain, and so do matrices whose rows are no whole blocks of 64.
    NF4
}
