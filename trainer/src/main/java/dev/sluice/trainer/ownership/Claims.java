package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.FencedException;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.trainer.observe.Pulse;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;

/// Claims jobs with Kafka's own fence: making the job's transactional producer shuts out every earlier owner, then the
/// log is read to its end, then [ClaimRule] decides.
///
/// @param owner id of this trainer process, unique among all that ever ran
public record Claims(KafkaConnection connection, Topics topics, EventWriter events, JobTable jobs, String owner, Duration lease,
        Pulse pulse) {

    private static final Logger LOG = Logger.getLogger(Claims.class);

    /// A producer and a state that belong together again.
    record Continued(JobWriter writer, JobState state) {}

    /// Tries to become the owner of a job.
    ///
    /// @return the lease, or empty when the job is not to be run (any more) or a faster trainer took it
    /// @throws KafkaException when the broker is away
    public Optional<JobLease> claim(String jobId, boolean cancelRequested) throws InterruptedException {
        JobWriter writer = JobWriter.claim(connection, topics, events, jobId, lease);
        Optional<JobLease> claimed = Optional.empty();
        try {
            Optional<JobState> job = jobs.newest(jobId, lease);
            if (job.isPresent()) {
                claimed = decide(writer, job.get(), cancelRequested);
            }
        } catch (FencedException _) {
            LOG.infof("job %s: another trainer claimed it at the same moment", jobId);
        } finally {
            if (claimed.isEmpty()) {
                writer.close();
            }
        }
        return claimed;
    }

    private Optional<JobLease> decide(JobWriter writer, JobState job, boolean cancelRequested) {
        return switch (ClaimRule.decide(job, cancelRequested)) {
            case Verdict.Leave(var reason) -> {
                LOG.infof("job %s is left alone: %s", job.jobId(), reason);
                yield Optional.empty();
            }
            case Verdict.End(var code, var reason) -> {
                writer.write((state, now) -> Transitions.ended(state, code, reason, now), job, List.of());
                LOG.infof("job %s ended before it ran: %s, %s", job.jobId(), code, reason);
                yield Optional.empty();
            }
            case Verdict.Take take -> {
                JobState running = writer.write((state, now) -> Transitions.claimed(state, take, owner, lease, now), job, List.of());
                yield Optional.of(new JobLease(this, writer, running, lease, pulse));
            }
        };
    }

    /// Continues to own a job after the producer broke: only if the log still shows our token.
    ///
    /// The log is read twice. Before `initTransactions`, so that a zombie finds out without fencing the rightful owner;
    /// and after it, so that nothing committed in between is missed. A rival that has initialised but not yet written is
    /// fenced by us then; it finds our token in the log and leaves.
    ///
    /// @throws OwnershipLostException when the log shows another owner
    Continued resume(JobState mine) throws InterruptedException {
        JobState found = ours(mine);
        if (!found.phase().isOwned()) {
            return new Continued(null, found);
        }
        JobWriter writer = JobWriter.claim(connection, topics, events, mine.jobId(), lease);
        try {
            JobState again = ours(mine);
            return new Continued(writer, again.phase().isOwned()
                    ? writer.write((state, now) -> Transitions.reclaimed(state, lease, now), again, List.of())
                    : again);
        } catch (RuntimeException e) {
            writer.close();
            throw e;
        }
    }

    private JobState ours(JobState mine) throws InterruptedException {
        JobState found = jobs.newest(mine.jobId(), lease).orElse(mine);
        if (found.token() != mine.token() || (found.phase().isOwned() && !owner.equals(found.owner()))) {
            throw new OwnershipLostException("job " + mine.jobId() + " belongs to " + found.owner() + " with token " + found.token()
                    + " now (" + found.phase() + "), ours was " + mine.token() + "; dropped, nothing is published");
        }
        return found;
    }
}
