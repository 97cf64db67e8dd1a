package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobState;

/// Decides a claim. A pure function of the job's newest record, read to the end of the log *after* `initTransactions`.
///
/// A record that another trainer wrote between our choice of the job and our `initTransactions` may carry a fresh lease
/// of a live owner. It is taken over all the same, because that owner is already fenced:
///
/// - Safe: whoever initialised the transactional id last is the only one who can commit anything for the job, so two
///   owners can never both write, whatever their clocks say.
/// - Live: a fenced owner writes no more renewals. Leaving the job to it would leave it to nobody until a lease ran out,
///   and two claimants that are polite to each other could repeat that for ever.
///
/// Tokens strictly increase because each claim reads after fencing: no earlier claimant can commit behind that read.
public final class ClaimRule {

    private ClaimRule() {}

    public static Verdict decide(JobState job, boolean cancelRequested) {
        return switch (job.phase()) {
            case SUBMITTED -> new Verdict.Leave("it is not validated yet");
            case SUCCEEDED, REJECTED, FAILED, CANCELLED -> new Verdict.Leave("it ended as " + job.phase());
            case QUEUED, PREEMPTED, LOST, RUNNING, PUBLISHING -> cancelRequested
                    ? new Verdict.End(JobCode.CANCELLED, "cancelled on request before it was claimed")
                    : take(job);
        };
    }

    private static Verdict take(JobState job) {
        int attempt = counts(job) ? job.attempt() + 1 : job.attempt();
        int limit = job.spec().limits().maxAttempts();
        return attempt <= limit
                ? new Verdict.Take(attempt, job.token() + 1)
                : new Verdict.End(JobCode.ATTEMPTS_EXHAUSTED, "all " + limit + " attempts were lost, the last one "
                        + (job.reason() == null ? "without a word (its trainer died or hung)" : "with: " + job.reason())
                        + "; submit the job again once the cause is gone");
    }

    /// Whether a claim from here is a new attempt. A job that was preempted goes on with the attempt it had.
    private static boolean counts(JobState job) {
        return job.attempt() == 0 || job.phase().isOwned() || job.code() != null;
    }
}
