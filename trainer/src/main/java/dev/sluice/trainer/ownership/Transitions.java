package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.CheckpointRef;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/// The records a trainer writes, as pure functions: each gives the snapshots of one transaction, in order, so that the
/// log shows every phase a job went through and no reader ever sees it half-way.
public final class Transitions {

    private Transitions() {}

    /// RUNNING under a new owner. A job taken from a silent owner passes through LOST and QUEUED.
    public static List<JobState> claimed(JobState job, Verdict.Take take, String owner, Duration lease, Instant now) {
        List<JobState> records = new ArrayList<>();
        JobState queued = requeued(job, records, now);
        records.add(queued.edit().claimed(take.attempt(), take.token(), owner, now.plus(lease)).at(now));
        return records;
    }

    /// The same owner again, after its producer broke while nobody else claimed the job: a new token, the same attempt.
    public static List<JobState> reclaimed(JobState job, Duration lease, Instant now) {
        var next = job.edit().leaseUntil(now.plus(lease));
        return List.of(job.phase() == JobPhase.RUNNING
                ? next.claimed(job.attempt(), job.token() + 1, job.owner(), now.plus(lease)).at(now)
                : next.at(now));
    }

    public static List<JobState> renewed(JobState job, int step, int totalSteps, Duration lease, Instant now) {
        return List.of(job.edit().step(step).totalSteps(totalSteps).leaseUntil(now.plus(lease)).at(now));
    }

    /// A checkpoint, named in front of the ones kept before it. Writing the same checkpoint twice changes nothing.
    public static List<JobState> checkpointed(JobState job, CheckpointRef checkpoint, int keep, Duration lease, Instant now) {
        List<CheckpointRef> kept = new ArrayList<>();
        kept.add(checkpoint);
        job.checkpoints().stream().filter(earlier -> earlier.step() < checkpoint.step()).limit(keep - 1L).forEach(kept::add);
        return List.of(job.edit().checkpoints(kept).step(checkpoint.step()).leaseUntil(now.plus(lease)).at(now));
    }

    /// Goes on, with something for people to read.
    public static List<JobState> explained(JobState job, String reason, Instant now) {
        return List.of(job.edit().because(null, reason).at(now));
    }

    public static List<JobState> publishing(JobState job, Duration lease, Instant now) {
        return List.of(job.edit().phase(JobPhase.PUBLISHING).step(Math.max(job.step(), job.totalSteps())).leaseUntil(now.plus(lease)).at(now));
    }

    public static List<JobState> succeeded(JobState job, String adapterId, Instant now) {
        return List.of(ended(job, JobPhase.SUCCEEDED).adapterId(adapterId).at(now));
    }

    /// Back to the queue at the owner's own wish; the attempt does not count.
    public static List<JobState> preempted(JobState job, String reason, Instant now) {
        return released(job, JobPhase.PREEMPTED, null, reason, now);
    }

    /// Back to the queue after trouble that may pass; the next claim is a new attempt.
    public static List<JobState> lost(JobState job, JobCode code, String reason, Instant now) {
        return released(job, JobPhase.LOST, code, reason, now);
    }

    /// After trouble that may pass: back to the queue, or FAILED when this was the last attempt.
    public static List<JobState> again(JobState job, JobCode code, String reason, Instant now) {
        int limit = job.spec().limits().maxAttempts();
        return job.attempt() < limit ? lost(job, code, reason, now)
                : failed(job, code, reason + " (attempt " + job.attempt() + " of " + limit + ")", now);
    }

    /// The end of a job that nobody owns: CANCELLED or FAILED, by its code.
    public static List<JobState> ended(JobState job, JobCode code, String reason, Instant now) {
        List<JobState> records = new ArrayList<>();
        JobState queued = requeued(job, records, now);
        records.addAll(code == JobCode.CANCELLED ? cancelled(queued, reason, now) : failed(queued, code, reason, now));
        return records;
    }

    public static List<JobState> failed(JobState job, JobCode code, String reason, Instant now) {
        return List.of(ended(job, JobPhase.FAILED).because(code, reason).at(now));
    }

    public static List<JobState> cancelled(JobState job, String reason, Instant now) {
        return List.of(ended(job, JobPhase.CANCELLED).because(JobCode.CANCELLED, reason).at(now));
    }

    private static JobState requeued(JobState job, List<JobState> records, Instant now) {
        if (job.phase().isOwned()) {
            records.addAll(lost(job, JobCode.LEASE_LOST, "trainer " + job.owner() + " stopped renewing its lease", now));
        } else if (job.phase() != JobPhase.QUEUED) {
            records.add(job.edit().phase(JobPhase.QUEUED).at(now));
        }
        return records.isEmpty() ? job : records.getLast();
    }

    private static List<JobState> released(JobState job, JobPhase through, JobCode code, String reason, Instant now) {
        JobState left = job.edit().phase(through).released().because(code, reason).at(now);
        return List.of(left, left.edit().phase(JobPhase.QUEUED).at(now));
    }

    private static JobState.Draft ended(JobState job, JobPhase phase) {
        return job.edit().phase(phase).released().checkpoints(List.of());
    }
}
