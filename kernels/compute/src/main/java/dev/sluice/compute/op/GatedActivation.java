package dev.sluice.compute.op;

/// How a gated layer joins its two halves. Source: Shazeer 2020, GLU Variants Improve Transformer.
public enum GatedActivation {
    /// `silu(gate) * up` with `silu(x) = x / (1 + exp(-x))`.
    SWIGLU,
    /// gpt-oss: `g / (1 + exp(-1.702 g)) * (u + 1)` with g the gate up to 7 and u the up half within -7 to 7.
    CLAMPED_SWIGLU,
    /// Gemma: `gelu(gate) * up` with `gelu(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`.
    GEGLU,
    /// `gate * up`.
    BILINEAR
}
