package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonProperty;

/// What a running job's trainer is busy with.
public enum Stage {
    @JsonProperty("loading")
    LOADING,
    @JsonProperty("training")
    TRAINING,
    @JsonProperty("checkpointing")
    CHECKPOINTING,
    @JsonProperty("publishing")
    PUBLISHING,
    /// Of a later version.
    @JsonEnumDefaultValue
    @JsonProperty("unknown")
    UNKNOWN
}
