package dev.sluice.ingest.job;

import dev.sluice.contracts.job.Control;
import dev.sluice.contracts.job.ControlOperation;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.contracts.wire.FieldError;
import dev.sluice.contracts.wire.InvalidFieldsException;
import dev.sluice.ingest.prepare.RejectedException;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.common.KafkaException;

/// Jobs and wishes that come over REST, on their way to the topics.
public final class Submissions {

    private static final Duration TAKEN_IN = Duration.ofSeconds(5);
    private static final int REMEMBERED = 10_000;

    private final Jobs jobs;
    private final JobPinner pinner;
    private final Producer<String, byte[]> producer;
    private final EventWriter events;
    /// Idempotency key to job id, of jobs that may not be in the log's view yet.
    private final Map<String, String> underWay = new LinkedHashMap<>();

    Submissions(Jobs jobs, JobPinner pinner, Producer<String, byte[]> producer, EventWriter events) {
        this.jobs = jobs;
        this.pinner = pinner;
        this.producer = producer;
        this.events = events;
    }

    /// Publishes a job, unless the same work is known already.
    ///
    /// @throws InvalidFieldsException when a dataset does not exist or the job id is taken
    public Submission submit(JobSpec wanted) throws InterruptedException {
        JobSpec spec = pin(wanted);
        Optional<Submission> first = publishUnlessKnown(spec);
        return first.isPresent() ? first.get()
                : new Submission(spec.jobId(), jobs.await(spec.jobId(), TAKEN_IN).map(JobState::phase).orElse(null), true);
    }

    /// Asks for the end of a job; whoever holds it obeys.
    public void cancel(String jobId, String reason) throws InterruptedException {
        send(Topic.CONTROL, jobId, new Control(jobId, ControlOperation.CANCEL, "rest", reason, Instant.now()));
    }

    private synchronized Optional<Submission> publishUnlessKnown(JobSpec spec) throws InterruptedException {
        String key = spec.idempotencyKey();
        Optional<Submission> first = known(key);
        if (first.isPresent()) {
            return first;
        }
        if (jobs.get(spec.jobId()).isPresent()) {
            throw new InvalidFieldsException(List.of(new FieldError("job_id", "is taken by another job; choose another, or leave it out")));
        }
        send(Topic.JOBS, spec.jobId(), spec);
        if (underWay.size() >= REMEMBERED) {
            underWay.remove(underWay.keySet().iterator().next());
        }
        underWay.put(key, spec.jobId());
        return Optional.empty();
    }

    private Optional<Submission> known(String key) {
        Optional<JobState> job = jobs.byKey(key);
        if (job.isPresent()) {
            return job.map(known -> new Submission(known.jobId(), known.phase(), false));
        }
        return Optional.ofNullable(underWay.get(key)).filter(id -> jobs.get(id).isEmpty()).map(id -> new Submission(id, null, false));
    }

    private JobSpec pin(JobSpec spec) throws InterruptedException {
        try {
            return pinner.pin(spec);
        } catch (RejectedException e) {
            throw new InvalidFieldsException(List.of(new FieldError("dataset", "cannot be used: " + e.getMessage())));
        }
    }

    private void send(Topic topic, String key, Object value) throws InterruptedException {
        try {
            producer.send(events.message(topic, key, value)).get();
        } catch (ExecutionException e) {
            throw new KafkaException("publish to " + events.topics().name(topic) + ": " + e.getCause().getMessage(), e.getCause());
        }
    }
}
