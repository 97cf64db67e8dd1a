package dev.sluice.ingest.fault;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.Example;
import dev.sluice.contracts.dataset.RecordCounts;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.LogRange;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import dev.sluice.ingest.Await;
import java.io.IOException;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// `kill -9` in the middle of 20,000 records.
class KillDuringIngestIT {

    private static final int RECORDS = 20_000;
    private static final int KILLS = 3;

    private final KafkaConnection connection = SharedBroker.get().connection("test");

    @Test
    void countsAndHashAreThoseOfAnUndisturbedRun() throws Exception {
        DatasetLedger undisturbed = ingest(new Topics("calm"), 0, "2000");
        DatasetLedger disturbed = ingest(new Topics("killed"), KILLS, "50");
        assertEquals(RecordStream.expected(RECORDS), undisturbed.counts());
        assertEquals(undisturbed.counts(), disturbed.counts());
        assertEquals(undisturbed.contentSum(), disturbed.contentSum());
        assertEquals(disturbed.counts().accepted(), distinctExamples(new Topics("killed"), disturbed));
    }

    private DatasetLedger ingest(Topics topics, int kills, String batch) throws Exception {
        try (var admin = connection.admin()) {
            new TopicAdmin(admin, topics).createMissing(1);
        }
        RecordStream.send(connection, topics, RECORDS);
        String broker = SharedBroker.get().bootstrapServers();
        Map<String, String> settings = Map.of("SLUICE_INGEST_BATCH_RECORDS", batch);
        try (var view = new CompactedView<>(connection, topics.name(Topic.DATASETS), json -> Json.read(json, DatasetEvent.class))) {
            Random random = new Random(7);
            for (int kill = 1; kill <= kills; kill++) {
                long before = read(view);
                long enough = before + 200 + random.nextInt(2_000);
                try (ServiceProcess service = ServiceProcess.start(broker, topics, settings)) {
                    Await.until(() -> read(view), in -> in >= enough);
                    service.kill();
                }
                long after = read(view);
                System.out.printf("kill %d after %d of %d records%n", kill, after, RECORDS);
                assertTrue(after < RECORDS, "killed too late to prove anything: " + after);
            }
            try (ServiceProcess service = ServiceProcess.start(broker, topics, settings)) {
                Await.until(service::isReady, ready -> ready);
                long started = System.nanoTime();
                Await.until(() -> read(view), in -> in == RECORDS);
                System.out.printf("%s: the rest in %d ms after it was ready%n", topics.prefix(), (System.nanoTime() - started) / 1_000_000);
                assertEquals(200, service.status("/q/health/live"));
                int exit = service.stop();
                assertTrue(exit == 0 || exit == 143, "exit code " + exit);
            }
            return (DatasetLedger) view.get(RecordStream.DATASET).orElseThrow();
        }
    }

    private static long read(CompactedView<DatasetEvent> view) {
        return view.get(RecordStream.DATASET).map(event -> ((DatasetLedger) event).counts()).orElse(RecordCounts.ZERO).in();
    }

    /// No example twice in the log, none missing.
    private long distinctExamples(Topics topics, DatasetLedger ledger) {
        Set<String> contents = new HashSet<>();
        long messages = LogRange.read(connection, topics.name(Topic.EXAMPLES), ledger.ranges(), ledger.datasetId(), message -> {
            try {
                contents.add(Json.read(message.value(), Example.class).contentSha256());
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        assertEquals(messages, contents.size());
        return messages;
    }
}
