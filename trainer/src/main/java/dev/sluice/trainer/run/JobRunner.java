package dev.sluice.trainer.run;

import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobState;
import dev.sluice.trainer.control.Wishes;
import dev.sluice.trainer.fate.Fate;
import dev.sluice.trainer.fate.Fates;
import dev.sluice.trainer.ownership.Edit;
import dev.sluice.trainer.ownership.JobLease;
import dev.sluice.trainer.ownership.OwnershipLostException;
import dev.sluice.trainer.ownership.Transitions;
import dev.sluice.trainer.store.Folders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.CompletionException;
import org.jboss.logging.Logger;

/// Runs a claimed job and writes down how it ended.
public final class JobRunner {

    private static final Logger LOG = Logger.getLogger(JobRunner.class);

    private final Workshop shop;

    public JobRunner(Workshop shop) {
        this.shop = shop;
    }

    /// Trains until the job ended, was given back or was lost. Never throws for what happens to a job.
    public Fate run(JobLease lease, Wishes wishes) {
        JobState job = lease.state();
        LOG.infof("job %s: attempt %d, token %d", job.jobId(), job.attempt(), job.token());
        Path folder = shop.scratch().resolve(job.jobId());
        Fate fate;
        Attempt attempt = null;
        try {
            Folders.delete(folder); // whatever an earlier attempt left here
            attempt = new Attempt(shop, lease, wishes, Files.createDirectories(folder.resolve(Long.toString(job.token()))));
            fate = attempt.run();
        } catch (IOException | InterruptedException | RuntimeException | OutOfMemoryError | LinkageError | InternalError e) {
            if (Fates.isUnexpected(e)) {
                LOG.errorf(e, "job %s", job.jobId());
            }
            fate = Fates.of(e);
        }
        fate = settle(lease, fate);
        if (attempt != null && lease.state().phase().isTerminal()) {
            attempt.clear();
        }
        discard(folder);
        shop.metrics().ended(fate.getClass().getSimpleName().toLowerCase(Locale.ROOT));
        LOG.infof("job %s: %s", job.jobId(), fate);
        return fate;
    }

    private Fate settle(JobLease lease, Fate fate) {
        try {
            switch (fate) {
                case Fate.Published _ -> { }
                case Fate.Dropped _ -> shop.metrics().fenced();
                case Fate.Cancelled(var reason) -> write(lease, (job, now) -> Transitions.cancelled(job, reason, now));
                case Fate.Preempted(var reason) -> write(lease, (job, now) -> Transitions.preempted(job, reason, now));
                case Fate.Reject(var code, var reason) -> write(lease, (job, now) -> Transitions.failed(job, code, reason, now));
                case Fate.Retry(var code, var reason) -> write(lease, (job, now) -> Transitions.again(job, code, reason, now));
                case Fate.Stop(var reason) -> write(lease, (job, now) -> Transitions.again(job, JobCode.INTERNAL, reason, now));
            }
            return fate;
        } catch (CompletionException e) {
            if (e.getCause() instanceof OwnershipLostException lost) {
                shop.metrics().fenced();
                return new Fate.Dropped(lost.getMessage());
            }
            throw e;
        }
    }

    private static void write(JobLease lease, Edit edit) {
        lease.write(edit).join();
    }

    private static void discard(Path folder) {
        try {
            Folders.delete(folder);
        } catch (IOException e) {
            LOG.warnf("scratch folder %s stays: %s", folder, e.getMessage());
        }
    }
}
