package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;

/// What a control message asks of the job's owner.
public enum ControlOperation {
    /// Stop within one step; the job ends CANCELLED.
    CANCEL,
    /// Save a checkpoint now.
    CHECKPOINT,
    /// Save, and give the job back to the queue.
    PREEMPT,
    /// Of a later version: ignore.
    @JsonEnumDefaultValue
    UNKNOWN
}
