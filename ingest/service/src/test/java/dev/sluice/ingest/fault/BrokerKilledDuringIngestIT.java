package dev.sluice.ingest.fault;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.broker.BrokerLifetime;
import dev.sluice.cli.broker.EmbeddedBroker;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.RecordCounts;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import dev.sluice.ingest.Await;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `kill -9` of the broker in the middle of 20,000 records; ingest lives on.
class BrokerKilledDuringIngestIT {

    private static final int RECORDS = 20_000;
    private static final Duration READY = Duration.ofSeconds(60);

    @TempDir
    Path folder;

    @Test
    void ingestWaitsForTheBrokerAndLosesNothing() throws Exception {
        Topics topics = new Topics("broker");
        try (EmbeddedBroker broker = EmbeddedBroker.start(folder.resolve("data"), 0, BrokerLifetime.WITH_PARENT)) {
            broker.awaitReady(READY);
            KafkaConnection connection = broker.connection("test");
            try (var admin = connection.admin()) {
                new TopicAdmin(admin, topics).createMissing(1);
            }
            RecordStream.send(connection, topics, RECORDS);
            try (var view = new CompactedView<>(connection, topics.name(Topic.DATASETS), json -> Json.read(json, DatasetEvent.class));
                    ServiceProcess service = ServiceProcess.start(broker.bootstrapServers(), topics, Map.of("SLUICE_INGEST_BATCH_RECORDS", "50"))) {
                Await.until(() -> counts(view).in(), in -> in >= 2_000);
                broker.kill();
                assertTrue(counts(view).in() < RECORDS, "killed too late to prove anything");
                assertEquals(200, service.status("/q/health/live"));
                broker.restart();
                broker.awaitReady(READY);
                long restarted = System.nanoTime();
                Await.until(() -> counts(view).in(), in -> in == RECORDS);
                System.out.printf("the rest in %d ms after the broker was back%n", (System.nanoTime() - restarted) / 1_000_000);
                assertEquals(RecordStream.expected(RECORDS), counts(view));
            }
        }
    }

    private static RecordCounts counts(CompactedView<DatasetEvent> view) {
        return view.get(RecordStream.DATASET).map(event -> ((DatasetLedger) event).counts()).orElse(RecordCounts.ZERO);
    }
}
