package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;

/// Element type of weights and activations; `auto` leaves it to the backend.
public enum Precision {
    @JsonProperty("float32")
    FLOAT32,
    @JsonProperty("bfloat16")
    BFLOAT16,
    @JsonProperty("auto")
    AUTO
}
