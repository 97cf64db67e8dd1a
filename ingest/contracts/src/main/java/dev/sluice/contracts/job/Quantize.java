package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;

/// What a model's frozen weights are packed into while they are loaded.
public enum Quantize {
    /// Nothing: they stay as the checkpoint has them.
    @JsonProperty("none")
    NONE,
    /// 4-bit normal floats, as QLoRA's bases.
    @JsonProperty("nf4")
    NF4
}
