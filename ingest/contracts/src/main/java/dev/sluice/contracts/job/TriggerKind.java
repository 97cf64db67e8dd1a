package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;

/// Who asked for the job: a person, or the evaluator's policy.
public enum TriggerKind {
    @JsonProperty("manual")
    MANUAL,
    @JsonProperty("retrain")
    RETRAIN
}
