package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;

/// Why a job was rejected, failed or was lost.
public enum JobCode {
    /// A field of the job is wrong; the reason names it.
    INVALID_SPEC(false),
    /// The same work is queued, running or done under another job id; the reason names it.
    DUPLICATE(false),
    /// The dataset or its version does not exist, or has no examples.
    DATASET_NOT_FOUND(false),
    /// Content does not have the hash its address promised.
    HASH_MISMATCH(false),
    /// No model at that address, or of a kind that is not supported.
    MODEL_UNSUPPORTED(false),
    /// A limit of the operator is reached.
    QUOTA(false),
    /// The memory plan does not fit the device.
    VRAM_ESTIMATE(false),
    /// The device ran out of memory.
    GPU_OOM(false),
    /// The loss or a gradient is not a number.
    NAN_LOSS(false),
    /// A disk is full.
    DISK_FULL(true),
    /// The artifact store does not answer.
    STORAGE_UNAVAILABLE(true),
    /// The chat template cannot be rendered.
    TEMPLATE_REFUSED(false),
    /// No example of the dataset has a token to train.
    NOTHING_TO_TRAIN(false),
    /// The forced compute backend is not available here.
    BACKEND_UNAVAILABLE(false),
    /// The job ran longer than its limit.
    DEADLINE(false),
    /// The owner stopped renewing its lease.
    LEASE_LOST(true),
    /// Every attempt was lost.
    ATTEMPTS_EXHAUSTED(false),
    /// Cancelled on request.
    CANCELLED(false),
    /// A fault of ours; the log has more.
    INTERNAL(true),
    /// A code of a later version.
    @JsonEnumDefaultValue
    UNKNOWN(false);

    private final boolean retryable;

    JobCode(boolean retryable) {
        this.retryable = retryable;
    }

    /// Whether another attempt may go better.
    public boolean retryable() {
        return retryable;
    }
}
