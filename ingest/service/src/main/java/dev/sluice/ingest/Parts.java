package dev.sluice.ingest;

import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.contracts.wire.Json;
import dev.sluice.ingest.config.IngestConfig;
import dev.sluice.ingest.dataset.Backlog;
import dev.sluice.ingest.dataset.Datasets;
import dev.sluice.ingest.job.JobDesk;
import dev.sluice.ingest.job.Jobs;
import dev.sluice.ingest.prepare.ModelFolders;
import dev.sluice.ingest.record.FateCounters;
import dev.sluice.ingest.record.Positions;
import dev.sluice.ingest.record.RecordPublisher;
import dev.sluice.ingest.record.RecordWorker;
import dev.sluice.ingest.worker.Worker;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.List;
import org.apache.kafka.clients.producer.Producer;

/// The service while it has a broker: views of the log, and the threads that work on it.
public final class Parts implements AutoCloseable {

    private final Producer<String, byte[]> producer;
    private final CompactedView<DatasetEvent> datasetView;
    private final CompactedView<JobState> jobView;
    private final CompactedView<AdapterPublished> adapters;
    private final CompactedView<ScoreEvent> scores;
    private final CompactedView<Promotion> promotions;
    private final Positions positions = new Positions();
    private final Datasets datasets;
    private final JobDesk desk;
    private final RecordPublisher publisher;
    private final List<Worker> workers;

    private Parts(KafkaConnection connection, Topics topics, IngestConfig config, MeterRegistry metrics) {
        EventWriter events = new EventWriter(topics, "/sluice/ingest");
        producer = connection.producer();
        datasetView = view(connection, topics, Topic.DATASETS, DatasetEvent.class);
        jobView = view(connection, topics, Topic.JOB_STATE, JobState.class);
        adapters = view(connection, topics, Topic.ADAPTERS, AdapterPublished.class);
        scores = view(connection, topics, Topic.SCORES, ScoreEvent.class);
        promotions = view(connection, topics, Topic.PROMOTIONS, Promotion.class);
        datasets = new Datasets(datasetView, producer, events);
        desk = JobDesk.open(connection, topics, new Jobs(jobView, events), datasets,
                new Backlog(connection, topics, positions, config.ingest().catchUpTimeout()),
                ModelFolders.of(config.models().orElse(List.of())), producer, events);
        publisher = new RecordPublisher(producer, topics, positions, config.ingest().maxBacklogRecords());
        RecordWorker records = new RecordWorker(connection, topics, datasetView, positions, new FateCounters(metrics, positions),
                config.ingest().maxRecordBytes(), config.ingest().batchRecords());
        workers = List.of(new Worker("records", records::session), new Worker("job-door", desk.door()::session),
                new Worker("job-preparation", desk.preparation()::session));
        for (JobPhase phase : JobPhase.values()) {
            Gauge.builder("sluice.jobs", jobView, view -> view.values().stream().filter(job -> job.phase() == phase).count())
                    .tag("state", phase.name()).description("Jobs by phase").register(metrics);
        }
    }

    static Parts open(KafkaConnection connection, Topics topics, IngestConfig config, MeterRegistry metrics) {
        Parts parts = new Parts(connection, topics, config, metrics);
        parts.workers.forEach(Worker::start);
        return parts;
    }

    public Datasets datasets() {
        return datasets;
    }

    public JobDesk desk() {
        return desk;
    }

    public RecordPublisher publisher() {
        return publisher;
    }

    public Positions positions() {
        return positions;
    }

    public List<AdapterPublished> adapters() {
        return adapters.values();
    }

    public List<Score> scores() {
        return scores.values().stream().filter(Score.class::isInstance).map(Score.class::cast).toList();
    }

    public List<Promotion> promotions() {
        return promotions.values();
    }

    public List<Worker> workers() {
        return workers;
    }

    public List<CompactedView<?>> views() {
        return List.of(datasetView, jobView, adapters, scores, promotions);
    }

    /// The threads first, then what they use.
    @Override
    public void close() {
        workers.forEach(Worker::close);
        views().forEach(CompactedView::close);
        producer.close();
    }

    private static <T> CompactedView<T> view(KafkaConnection connection, Topics topics, Topic topic, Class<T> type) {
        return new CompactedView<>(connection, topics.name(topic), json -> Json.read(json, type));
    }
}
