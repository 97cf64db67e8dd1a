package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;

/// How expert matrices are laid out in the adapter file.
public enum AdapterFormat {
    /// PEFT's `target_parameters`: one pair of matrices over all experts.
    @JsonProperty("peft-3d")
    PEFT_3D,
    /// One pair per expert and projection, by the names of a model whose experts are modules of their own.
    @JsonProperty("per-expert")
    PER_EXPERT
}
