package dev.sluice.trainer.control;

import java.util.concurrent.atomic.AtomicBoolean;

/// What people and the system ask of the job that runs now. Set from any thread, looked at between two steps.
public final class Wishes {

    private final String jobId;
    private final AtomicBoolean checkpoint = new AtomicBoolean();
    private volatile boolean cancel;
    private volatile String preemption;

    Wishes(String jobId) {
        this.jobId = jobId;
    }

    String jobId() {
        return jobId;
    }

    void cancel() {
        cancel = true;
    }

    /// @param reason shown in the job's state
    public void preempt(String reason) {
        preemption = reason;
    }

    void checkpoint() {
        checkpoint.set(true);
    }

    public boolean wantsCancel() {
        return cancel;
    }

    /// Why the job should be given back, or null.
    public String preemption() {
        return preemption;
    }

    /// Whether a checkpoint was asked for since the last call.
    public boolean takeCheckpoint() {
        return checkpoint.getAndSet(false);
    }
}
