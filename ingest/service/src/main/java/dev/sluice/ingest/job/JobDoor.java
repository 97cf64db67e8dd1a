package dev.sluice.ingest.job;

import dev.sluice.contracts.job.Control;
import dev.sluice.contracts.job.ControlOperation;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.TransactionalProducer;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import dev.sluice.ingest.worker.Worker;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.jboss.logging.Logger;

/// Takes jobs in, whoever sent them, and cancels those that no trainer has.
///
/// New states and the positions they follow from are one transaction. A job id that is known already is a replay and
/// changes nothing. A CANCEL may overtake its job: the id is remembered.
public final class JobDoor {

    private static final Logger LOG = Logger.getLogger(JobDoor.class);
    private static final Duration POLL = Duration.ofMillis(100);
    private static final int BATCH = 200;
    private static final int REMEMBERED = 10_000;

    private final KafkaConnection connection;
    private final Topics topics;
    private final Jobs jobs;
    private final Map<String, Control> early = new LinkedHashMap<>();

    public JobDoor(KafkaConnection connection, Topics topics, Jobs jobs) {
        this.connection = connection;
        this.topics = topics;
        this.jobs = jobs;
    }

    public void session(Worker worker) throws InterruptedException {
        String id = topics.scoped("ingest-jobs");
        try (var producer = connection.transactional(id); var consumer = connection.grouped(id, BATCH)) {
            consumer.assign(Stream.of(Topic.JOBS, Topic.CONTROL).flatMap(topic -> consumer.partitionsFor(topics.name(topic)).stream())
                    .map(info -> new TopicPartition(info.topic(), info.partition())).toList());
            worker.running();
            while (!worker.isStopping()) {
                ConsumerRecords<byte[], byte[]> messages = consumer.poll(POLL);
                worker.beat();
                if (!messages.isEmpty()) {
                    take(messages, producer, consumer);
                }
            }
        }
    }

    private void take(ConsumerRecords<byte[], byte[]> messages, TransactionalProducer producer, Consumer<byte[], byte[]> consumer)
            throws InterruptedException {
        List<Control> queued = new ArrayList<>();
        jobs.exclusively(_ -> {
            Map<String, JobState> fresh = new LinkedHashMap<>();
            List<JobState> written = new ArrayList<>();
            messages.records(topics.name(Topic.CONTROL)).forEach(message -> control(message).ifPresent(control -> {
                if (jobs.get(control.jobId()).isEmpty()) {
                    remember(control);
                } else if (jobs.get(control.jobId()).get().phase() == JobPhase.SUBMITTED) {
                    written.add(cancelled(jobs.get(control.jobId()).get(), control));
                } else {
                    queued.add(control);
                }
            }));
            messages.records(topics.name(Topic.JOBS)).forEach(message -> JobMessage.read(message, Instant.now())
                    .filter(job -> jobs.get(job.jobId()).isEmpty() && fresh.putIfAbsent(job.jobId(), job) == null)
                    .ifPresent(job -> enter(job, written)));
            producer.commit(transaction -> {
                written.forEach(state -> jobs.send(transaction, state));
                transaction.offsets(offsets(consumer), consumer.groupMetadata());
            });
        });
        for (Control control : queued) {
            cancelQueued(control);
        }
    }

    private void enter(JobState job, List<JobState> written) {
        written.add(job);
        Control control = early.remove(job.jobId());
        if (control != null && job.phase() == JobPhase.SUBMITTED) {
            written.add(cancelled(job, control));
        }
    }

    /// Claims the job as a trainer would, so that no trainer can claim it between looking and writing.
    private void cancelQueued(Control control) throws InterruptedException {
        if (jobs.get(control.jobId()).filter(job -> job.phase() == JobPhase.QUEUED).isEmpty()) {
            return; // ended, or its trainer cancels it
        }
        try (TransactionalProducer claim = connection.transactional(topics.jobTransactionalId(control.jobId()))) {
            jobs.exclusively(_ -> jobs.get(control.jobId()).filter(job -> !job.phase().isTerminal())
                    .ifPresent(job -> claim.commit(transaction -> jobs.send(transaction, cancelled(job, control)))));
        }
    }

    private static JobState cancelled(JobState job, Control control) {
        String by = control.requestedBy() == null ? "" : " of " + control.requestedBy();
        return job.edit().phase(JobPhase.CANCELLED).released()
                .because(JobCode.CANCELLED, "Cancelled at the request" + by + (control.reason() == null ? "." : ": " + control.reason()))
                .at(Instant.now());
    }

    private static Optional<Control> control(ConsumerRecord<byte[], byte[]> message) {
        try {
            return message.value() == null ? Optional.empty()
                    : Optional.of(Json.read(message.value(), Control.class)).filter(control -> control.operation() == ControlOperation.CANCEL);
        } catch (IOException e) {
            LOG.warnf("%s-%d@%d: no control message, left out: %s", message.topic(), message.partition(), message.offset(), e.getMessage());
            return Optional.empty();
        }
    }

    private void remember(Control control) {
        if (early.size() >= REMEMBERED) {
            early.remove(early.keySet().iterator().next());
        }
        early.put(control.jobId(), control);
    }

    private static Map<TopicPartition, OffsetAndMetadata> offsets(Consumer<byte[], byte[]> consumer) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        consumer.assignment().forEach(partition -> offsets.put(partition, new OffsetAndMetadata(consumer.position(partition))));
        return offsets;
    }
}
