package dev.sluice.trainer.fate;

import dev.sluice.contracts.job.JobCode;

/// How an attempt at a job ended.
public sealed interface Fate {

    /// The adapter is published and the job SUCCEEDED, in one transaction.
    record Published(String adapterId) implements Fate {}

    /// Ended on request: CANCELLED.
    record Cancelled(String reason) implements Fate {}

    /// Given back to the queue with a checkpoint, because we were asked to.
    record Preempted(String reason) implements Fate {}

    /// Trying again cannot cure it: FAILED.
    record Reject(JobCode code, String reason) implements Fate {}

    /// Store or broker trouble that may pass: back to the queue, a new attempt after a pause.
    record Retry(JobCode code, String reason) implements Fate {}

    /// The device is gone: back to the queue, and this process ends, so that a fresh one starts.
    record Stop(String reason) implements Fate {}

    /// Another trainer owns the job: nothing is written, by us, ever.
    record Dropped(String reason) implements Fate {}
}
