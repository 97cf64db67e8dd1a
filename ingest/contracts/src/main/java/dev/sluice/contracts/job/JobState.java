package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.Check;
import java.time.Instant;
import java.util.List;

/// A job as it stands: full snapshot on `job-state.v1`, the latest per key is the truth.
///
/// @param jobId the job, also the message's key
/// @param spec what was asked for; versions are pinned from QUEUED on. Null when a rejected message was no spec at all
/// @param idempotencyKey key of the pinned spec, from SUBMITTED on where it could be computed
/// @param attempt claims so far, from 1; 0 before the first
/// @param token fencing token of the owner: the attempt's claim number, strictly increasing; 0 before the first
/// @param owner id of the trainer that holds it, or null
/// @param step optimiser steps done
/// @param totalSteps steps in all, 0 until known
/// @param leaseUntil when the owner must have renewed, or null
/// @param checkpoints saved states, the newest first, as many as the spec keeps
/// @param preparedId the rows to train on, from QUEUED on
/// @param adapterId the published adapter, with SUCCEEDED
/// @param code why it was rejected, failed or lost
/// @param reason the same in words, with the way out
/// @param submittedAt when ingest took it in
/// @param updatedAt when this snapshot was written
public record JobState(String jobId, JobSpec spec, String idempotencyKey, JobPhase phase, int attempt, long token, String owner, int step,
        int totalSteps, Instant leaseUntil, List<CheckpointRef> checkpoints, String preparedId, String adapterId, JobCode code, String reason,
        Instant submittedAt, Instant updatedAt) {

    public JobState {
        Check.text(jobId, "job_id");
        Check.present(phase, "phase");
        Check.atLeast(attempt, 0, "attempt");
        Check.atLeast(token, 0, "token");
        Check.atLeast(step, 0, "step");
        Check.atLeast(totalSteps, 0, "total_steps");
        Check.present(submittedAt, "submitted_at");
        Check.present(updatedAt, "updated_at");
        checkpoints = checkpoints == null ? List.of() : List.copyOf(checkpoints);
        switch (phase) {
            case SUBMITTED -> Check.present(spec, "spec of a submitted job");
            case QUEUED, PREEMPTED, LOST -> Check.text(preparedId, "prepared_id of a " + phase + " job");
            case RUNNING, PUBLISHING -> {
                Check.text(owner, "owner of a " + phase + " job");
                Check.present(leaseUntil, "lease_until of a " + phase + " job");
            }
            case SUCCEEDED -> Check.text(adapterId, "adapter_id of a SUCCEEDED job");
            case REJECTED, FAILED -> Check.present(code, "code of a " + phase + " job");
            case CANCELLED -> { }
        }
    }

    /// A copy to change field by field; [Draft#at] checks that the new phase may follow.
    public Draft edit() {
        return new Draft(this);
    }

    public static JobState submitted(JobSpec spec, String idempotencyKey, Instant now) {
        return new JobState(spec.jobId(), spec, idempotencyKey, JobPhase.SUBMITTED, 0, 0, null, 0, 0, null, null, null, null, null, null, now, now);
    }

    /// A job refused at the door.
    ///
    /// @param spec may be null when the message was no spec at all
    public static JobState rejected(String jobId, JobSpec spec, JobCode code, String reason, Instant now) {
        return new JobState(jobId, spec, null, JobPhase.REJECTED, 0, 0, null, 0, 0, null, null, null, null, code, reason, now, now);
    }

    /// The next snapshot in the making. Changes nothing until [#at].
    public static final class Draft {
        private final JobState from;
        private JobSpec spec;
        private String idempotencyKey;
        private JobPhase phase;
        private int attempt;
        private long token;
        private String owner;
        private int step;
        private int totalSteps;
        private Instant leaseUntil;
        private List<CheckpointRef> checkpoints;
        private String preparedId;
        private String adapterId;
        private JobCode code;
        private String reason;

        private Draft(JobState from) {
            this.from = from;
            spec = from.spec;
            idempotencyKey = from.idempotencyKey;
            phase = from.phase;
            attempt = from.attempt;
            token = from.token;
            owner = from.owner;
            step = from.step;
            totalSteps = from.totalSteps;
            leaseUntil = from.leaseUntil;
            checkpoints = from.checkpoints;
            preparedId = from.preparedId;
            adapterId = from.adapterId;
            code = from.code;
            reason = from.reason;
        }

        public Draft spec(JobSpec value) {
            spec = value;
            return this;
        }

        public Draft idempotencyKey(String value) {
            idempotencyKey = value;
            return this;
        }

        public Draft phase(JobPhase value) {
            phase = value;
            return this;
        }

        /// A claim: attempt, token, owner and lease belong together.
        public Draft claimed(int newAttempt, long newToken, String newOwner, Instant until) {
            phase = JobPhase.RUNNING;
            attempt = newAttempt;
            token = newToken;
            owner = newOwner;
            leaseUntil = until;
            code = null;
            reason = null;
            return this;
        }

        /// No owner and no lease any more.
        public Draft released() {
            owner = null;
            leaseUntil = null;
            return this;
        }

        public Draft leaseUntil(Instant value) {
            leaseUntil = value;
            return this;
        }

        public Draft step(int value) {
            step = value;
            return this;
        }

        public Draft totalSteps(int value) {
            totalSteps = value;
            return this;
        }

        /// Newest first.
        public Draft checkpoints(List<CheckpointRef> value) {
            checkpoints = value;
            return this;
        }

        public Draft preparedId(String value) {
            preparedId = value;
            return this;
        }

        public Draft adapterId(String value) {
            adapterId = value;
            return this;
        }

        public Draft because(JobCode newCode, String newReason) {
            code = newCode;
            reason = newReason;
            return this;
        }

        /// The new snapshot.
        ///
        /// @throws IllegalStateException when the phase may not follow the earlier one
        public JobState at(Instant now) {
            if (!from.phase.allows(phase)) {
                throw new IllegalStateException("job " + from.jobId + " may not go from " + from.phase + " to " + phase);
            }
            if (token < from.token) {
                throw new IllegalStateException("job " + from.jobId + ": token may not go back from " + from.token + " to " + token);
            }
            return new JobState(from.jobId, spec, idempotencyKey, phase, attempt, token, owner, step, totalSteps, leaseUntil, checkpoints,
                    preparedId, adapterId, code, reason, from.submittedAt, now);
        }
    }
}
