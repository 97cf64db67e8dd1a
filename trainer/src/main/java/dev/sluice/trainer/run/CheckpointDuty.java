package dev.sluice.trainer.run;

import dev.sluice.contracts.job.CheckpointRef;
import dev.sluice.contracts.job.JobState;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.trainer.checkpoint.CheckpointMeta;
import dev.sluice.trainer.checkpoint.Checkpoints;
import dev.sluice.trainer.ownership.JobLease;
import dev.sluice.trainer.ownership.JobTable;
import dev.sluice.trainer.ownership.Transitions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jboss.logging.Logger;

/// Saves an attempt's run and keeps the store tidy. A checkpoint that could not be saved costs no training: it is logged,
/// shown in the job's reason, and tried again when the next one is due.
final class CheckpointDuty {

    private static final Logger LOG = Logger.getLogger(CheckpointDuty.class);

    private final Checkpoints checkpoints;
    private final JobLease lease;
    private final JobTable jobs;
    private final Set<CheckpointRef> known; // touched by the lease thread only, once training has begun
    private volatile int lastStep = -1;

    CheckpointDuty(Checkpoints checkpoints, JobLease lease, JobTable jobs) {
        this.checkpoints = checkpoints;
        this.lease = lease;
        this.jobs = jobs;
        this.known = new LinkedHashSet<>(lease.state().checkpoints());
    }

    /// Saves the run and has the lease thread commit it; training need not wait for the future.
    CompletableFuture<JobState> save(LoraTraining training, CheckpointMeta meta) {
        if (meta.step() == lastStep) {
            return CompletableFuture.completedFuture(lease.state());
        }
        try {
            CheckpointRef saved = checkpoints.save(training, meta);
            lastStep = meta.step();
            int keep = lease.state().spec().checkpoint().keep();
            return lease.write((job, now) -> Transitions.checkpointed(job, saved, keep, lease.length(), now))
                    .thenApply(state -> tidy(saved, state));
        } catch (IOException | UncheckedIOException e) {
            LOG.warnf("job %s: no checkpoint at step %d: %s", meta.jobId(), meta.step(), e.getMessage());
            return lease.write((job, now) -> Transitions.explained(job, "no checkpoint at step " + meta.step() + ": " + e.getMessage(), now));
        }
    }

    /// The newest checkpoint is already in the state, for example right after a resume.
    void resumedAt(int step) {
        lastStep = step;
    }

    /// Removes every checkpoint of a job that has ended.
    void clear() {
        checkpoints.delete(known, others());
    }

    private JobState tidy(CheckpointRef saved, JobState state) {
        known.add(saved);
        List<CheckpointRef> dropped = known.stream().filter(checkpoint -> !state.checkpoints().contains(checkpoint)).toList();
        List<CheckpointRef> kept = new ArrayList<>(state.checkpoints());
        kept.addAll(others());
        checkpoints.delete(dropped, kept);
        dropped.forEach(known::remove);
        return state;
    }

    private List<CheckpointRef> others() {
        return jobs.all().stream().filter(job -> !job.jobId().equals(lease.state().jobId()))
                .flatMap(job -> job.checkpoints().stream()).toList();
    }
}
