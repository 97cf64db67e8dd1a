package dev.sluice.contracts.dataset;

import com.fasterxml.jackson.annotation.JsonProperty;

/// What rows are for: to train on, or held out to score with.
public enum Split {
    @JsonProperty("train")
    TRAIN,
    @JsonProperty("heldout")
    HELDOUT
}
