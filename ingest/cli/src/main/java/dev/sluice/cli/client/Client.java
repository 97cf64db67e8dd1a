package dev.sluice.cli.client;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.ScoreEvent;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.contracts.wire.Json;
import java.net.URI;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;

/// A pipeline as the command line sees it: its topics and its artifact store. Views open on first use.
public final class Client implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(20);
    private static final String SOURCE = "/sluice/cli";
    private final KafkaConnection kafka;
    private final Topics topics;
    private final URI store;
    private final EventWriter events;
    private final Map<Topic, CompactedView<?>> views = new EnumMap<>(Topic.class);
    private Producer<String, byte[]> producer;

    /// @param store address of the artifact store, or null when only topics are needed
    public Client(KafkaConnection kafka, Topics topics, URI store) {
        this.kafka = kafka;
        this.topics = topics;
        this.store = store;
        this.events = new EventWriter(topics, SOURCE);
    }

    public KafkaConnection kafka() {
        return kafka;
    }

    public Topics topics() {
        return topics;
    }

    public EventWriter events() {
        return events;
    }

    public CompactedView<JobState> jobs() {
        return view(Topic.JOB_STATE, JobState.class);
    }

    public CompactedView<Progress> progress() {
        return view(Topic.PROGRESS, Progress.class);
    }

    public CompactedView<DatasetEvent> datasets() {
        return view(Topic.DATASETS, DatasetEvent.class);
    }

    public CompactedView<AdapterPublished> adapters() {
        return view(Topic.ADAPTERS, AdapterPublished.class);
    }

    public CompactedView<ScoreEvent> scores() {
        return view(Topic.SCORES, ScoreEvent.class);
    }

    public CompactedView<Promotion> promotions() {
        return view(Topic.PROMOTIONS, Promotion.class);
    }

    @SuppressWarnings("unchecked")
    private <T> CompactedView<T> view(Topic topic, Class<T> type) {
        return (CompactedView<T>) views.computeIfAbsent(topic,
                _ -> caughtUp(topic, new CompactedView<>(kafka, topics.name(topic), value -> Json.read(value, type))));
    }

    private <T> CompactedView<T> caughtUp(Topic topic, CompactedView<T> view) {
        try {
            if (view.awaitCaughtUp(PATIENCE)) {
                return view;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        view.close();
        throw new CliException(ExitCode.NOT_RUNNING, "could not read " + topics.name(topic) + " from " + kafka.bootstrapServers()
                + " within " + PATIENCE.toSeconds() + " s; is the broker up and has ingest created the topics? See ./sluice status");
    }

    /// Sends messages and waits until the broker has all of them.
    public void send(List<ProducerRecord<String, byte[]>> messages) {
        var pending = messages.stream().map(producer()::send).toList();
        try {
            for (var sent : pending) {
                sent.get();
            }
        } catch (ExecutionException e) {
            throw new CliException(ExitCode.FAILED, "the broker at " + kafka.bootstrapServers() + " refused a message: "
                    + e.getCause().getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException(ExitCode.FAILED, "interrupted while sending", e);
        }
    }

    private Producer<String, byte[]> producer() {
        if (producer == null) {
            producer = kafka.producer();
        }
        return producer;
    }

    /// The artifact store.
    ///
    /// @throws CliException if its address is not known here
    public ArtifactStore store() {
        if (store == null) {
            throw new CliException(ExitCode.USAGE, "the artifact store's address is needed: pass --store file:/...");
        }
        return ArtifactStore.open(store);
    }

    @Override
    public void close() {
        views.values().forEach(CompactedView::close);
        if (producer != null) {
            producer.close(Duration.ofSeconds(5));
        }
    }
}
