package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;

/// How the learning rate goes on after the warm-up; linear and cosine end at 0.
public enum Schedule {
    @JsonProperty("constant")
    CONSTANT,
    @JsonProperty("linear")
    LINEAR,
    @JsonProperty("cosine")
    COSINE
}
