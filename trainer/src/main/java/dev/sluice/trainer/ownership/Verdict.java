package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobCode;

/// What a claimant may do with a job, judged from the job's newest record after every earlier owner has been fenced.
public sealed interface Verdict {

    /// Train it: write RUNNING with these numbers.
    ///
    /// @param attempt claims so far, this one included; a preemption did not count
    /// @param token fencing token, one more than any before
    record Take(int attempt, long token) implements Verdict {}

    /// End it: nobody owns it and it must not run.
    ///
    /// @param code CANCELLED when it was asked for, else the code of the failure
    record End(JobCode code, String reason) implements Verdict {}

    /// Not ours to touch.
    record Leave(String reason) implements Verdict {}
}
