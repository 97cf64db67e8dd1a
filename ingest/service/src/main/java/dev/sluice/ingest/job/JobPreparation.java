package dev.sluice.ingest.job;

import dev.sluice.contracts.dataset.PrepareSettings;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.job.DatasetRef;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.ingest.dataset.Datasets;
import dev.sluice.ingest.prepare.ModelFolders;
import dev.sluice.ingest.prepare.PrepareRequest;
import dev.sluice.ingest.prepare.Preparer;
import dev.sluice.ingest.prepare.RejectedException;
import dev.sluice.ingest.worker.Worker;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.apache.kafka.common.KafkaException;
import org.jboss.logging.Logger;

/// Brings SUBMITTED jobs to QUEUED: versions fixed, model checked, rows prepared. Or to REJECTED, with the reason. After a
/// restart it finds the jobs that are still SUBMITTED and goes on with them.
public final class JobPreparation {

    private static final Logger LOG = Logger.getLogger(JobPreparation.class);
    private static final Duration IDLE = Duration.ofMillis(500);

    private final KafkaConnection connection;
    private final Topics topics;
    private final Jobs jobs;
    private final Datasets datasets;
    private final JobPinner pinner;
    private final ModelFolders models;
    private final EventWriter events;

    JobPreparation(KafkaConnection connection, Topics topics, Jobs jobs, Datasets datasets, JobPinner pinner, ModelFolders models,
            EventWriter events) {
        this.connection = connection;
        this.topics = topics;
        this.jobs = jobs;
        this.datasets = datasets;
        this.pinner = pinner;
        this.models = models;
        this.events = events;
    }

    public void session(Worker worker) throws InterruptedException {
        try (var producer = connection.transactional(topics.scoped("ingest-prepare"))) {
            Preparer preparer = new Preparer(connection, topics, datasets, producer, events);
            jobs.refresh();
            worker.running();
            while (!worker.isStopping()) {
                for (JobState job : jobs.submitted()) {
                    bring(job, preparer, producer);
                    worker.beat();
                }
                worker.beat();
                if (jobs.submitted().isEmpty()) {
                    jobs.awaitChange(IDLE);
                }
            }
        }
    }

    private void bring(JobState job, Preparer preparer, TransactionalProducer producer) throws InterruptedException {
        try {
            JobState ready = ready(job, preparer);
            jobs.change(job.jobId(), JobPhase.SUBMITTED, producer, _ -> ready);
            LOG.infof("job %s: %s", job.jobId(), ready.phase());
        } catch (RejectedException e) {
            reject(job, e.code(), e.getMessage(), producer);
        } catch (IOException e) {
            reject(job, isFull(e) ? JobCode.DISK_FULL : JobCode.INTERNAL, "Preparing the rows failed: " + e.getMessage()
                    + ". Make room in the folder for temporary files, or look at ingest's log, and submit the job again.", producer);
        } catch (KafkaException e) {
            throw e; // the job stays SUBMITTED, the next session takes it up
        } catch (IllegalStateException | IllegalArgumentException | ArithmeticException | IndexOutOfBoundsException e) {
            LOG.errorf(e, "job %s: preparing its rows failed", job.jobId());
            reject(job, JobCode.INTERNAL, "Preparing the rows failed: " + e.getMessage(), producer);
        }
    }

    private JobState ready(JobState job, Preparer preparer) throws RejectedException, IOException, InterruptedException {
        JobSpec spec = pinner.pin(job.spec());
        String key = spec.idempotencyKey();
        Optional<JobState> first = jobs.byKey(key).filter(other -> !other.jobId().equals(job.jobId()));
        if (first.isPresent() && first.get().submittedAt().isBefore(job.submittedAt())) {
            throw new RejectedException(JobCode.DUPLICATE, "The same work is job " + first.get().jobId() + " (" + first.get().phase()
                    + "). Give the job a nonce to run it again.");
        }
        Path folder = models.resolve(spec.model());
        JobSpec pinned = spec.withModel(models.pinned(spec.model(), folder));
        PreparedDataset prepared = preparer.prepare(request(pinned, folder));
        return job.edit().spec(pinned).idempotencyKey(key).phase(JobPhase.QUEUED).preparedId(prepared.preparedId())
                .totalSteps(pinned.training().totalSteps(prepared.train().rows())).at(Instant.now());
    }

    private PrepareRequest request(JobSpec spec, Path folder) throws RejectedException, InterruptedException {
        DatasetRef heldout = spec.heldout().dataset();
        return new PrepareRequest(pinner.version(spec.dataset()), heldout == null ? null : pinner.version(heldout), folder,
                new PrepareSettings(spec.training().maxLength(), spec.training().packing(), spec.heldout().fraction()));
    }

    private void reject(JobState job, JobCode code, String reason, TransactionalProducer producer) throws InterruptedException {
        LOG.infof("job %s: rejected, %s: %s", job.jobId(), code, reason);
        jobs.change(job.jobId(), JobPhase.SUBMITTED, producer,
                submitted -> submitted.edit().phase(JobPhase.REJECTED).because(code, reason).at(Instant.now()));
    }

    private static boolean isFull(IOException failure) {
        return String.valueOf(failure.getMessage()).contains("No space left");
    }
}
