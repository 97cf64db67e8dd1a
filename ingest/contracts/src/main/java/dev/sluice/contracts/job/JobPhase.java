package dev.sluice.contracts.job;

import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/// Where a job stands. Exactly one terminal phase per job, whatever dies in between.
///
/// SUBMITTED -> QUEUED: ingest validated the job and prepared its rows; REJECTED: it could not; CANCELLED: on request.
/// QUEUED -> RUNNING: a trainer claimed it; FAILED: its attempts or its time are used up; CANCELLED: on request.
/// RUNNING -> PUBLISHING: the last step is done; PREEMPTED: the trainer was told to stop, and saved; LOST: its lease ran
/// out; FAILED: an error that trying again does not cure; CANCELLED: on request.
/// PREEMPTED, LOST -> QUEUED: to be claimed again; FAILED: attempts used up; CANCELLED: on request.
/// PUBLISHING -> SUCCEEDED: in the transaction that publishes the adapter; LOST, PREEMPTED, FAILED, CANCELLED as from RUNNING.
/// A phase that lasts may be written again with a new step, lease or checkpoint; a terminal phase absorbs everything.
public enum JobPhase {
    SUBMITTED,
    QUEUED,
    RUNNING,
    PREEMPTED,
    LOST,
    PUBLISHING,
    SUCCEEDED,
    REJECTED,
    FAILED,
    CANCELLED;

    private static final Map<JobPhase, Set<JobPhase>> NEXT = Map.of(
            SUBMITTED, EnumSet.of(SUBMITTED, QUEUED, REJECTED, CANCELLED),
            QUEUED, EnumSet.of(QUEUED, RUNNING, FAILED, CANCELLED),
            RUNNING, EnumSet.of(RUNNING, PUBLISHING, PREEMPTED, LOST, FAILED, CANCELLED),
            PREEMPTED, EnumSet.of(QUEUED, FAILED, CANCELLED),
            LOST, EnumSet.of(QUEUED, FAILED, CANCELLED),
            PUBLISHING, EnumSet.of(PUBLISHING, SUCCEEDED, PREEMPTED, LOST, FAILED, CANCELLED),
            SUCCEEDED, EnumSet.noneOf(JobPhase.class),
            REJECTED, EnumSet.noneOf(JobPhase.class),
            FAILED, EnumSet.noneOf(JobPhase.class),
            CANCELLED, EnumSet.noneOf(JobPhase.class));

    /// Whether a snapshot in phase `next` may follow one in this phase.
    public boolean allows(JobPhase next) {
        return NEXT.get(this).contains(next);
    }

    public boolean isTerminal() {
        return NEXT.get(this).isEmpty();
    }

    /// Whether a trainer holds the job.
    public boolean isOwned() {
        return this == RUNNING || this == PUBLISHING;
    }
}
