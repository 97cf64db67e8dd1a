package dev.sluice.cli.client;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.contracts.dataset.DatasetEvent;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.dataset.RecordCounts;
import dev.sluice.contracts.dataset.RecordHeaders;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.ProducerRecord;

/// Publishes records of a file to a dataset and waits for what ingest makes of each.
public final class RecordPublisher {
    private static final int BATCH = 1_000;
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private final Client client;
    private final String datasetId;

    public RecordPublisher(Client client, String datasetId) {
        this.client = client;
        this.datasetId = datasetId;
    }

    /// What the file came to: how many records were sent, and the fates of exactly as many.
    public record Published(String datasetId, long sent, RecordCounts fates) {}

    /// Sends every record of `file`, in order, and waits until ingest has decided about all of them.
    public Published publish(Path file) {
        RecordCounts before = counts();
        long sent = send(file);
        RecordCounts after = await(before.in() + sent);
        return new Published(datasetId, sent, RecordCounts.of(after.accepted() - before.accepted(),
                after.duplicate() - before.duplicate(), after.refused() - before.refused()));
    }

    /// Sends every record of `file` without waiting for ingest.
    ///
    /// @return records sent
    public long send(Path file) {
        long sent = 0;
        try (var source = RecordSource.open(file)) {
            var batch = new ArrayList<ProducerRecord<String, byte[]>>(BATCH);
            for (byte[] value = source.next(); value != null; value = source.next()) {
                batch.add(message(value));
                if (batch.size() == BATCH) {
                    sent += flush(batch);
                }
            }
            return sent + flush(batch);
        } catch (IOException e) {
            throw RecordSource.unreadable(file, e);
        }
    }

    private long flush(List<ProducerRecord<String, byte[]>> batch) {
        client.send(batch);
        long count = batch.size();
        batch.clear();
        return count;
    }

    /// All records of a dataset go to one partition, so that ingest sees them in the file's order.
    private ProducerRecord<String, byte[]> message(byte[] value) {
        int partition = Topics.partitionFor(datasetId, Topic.RECORDS.partitions());
        String key = recordId(value);
        var message = new ProducerRecord<>(client.topics().name(Topic.RECORDS), partition, key, value);
        CloudEvent.put(message.headers(), RecordHeaders.DATASET, datasetId);
        return CloudEvent.of("/sluice/cli", EventWriter.type(Topic.RECORDS), key).on(message);
    }

    /// The record's own `id` where it has one, otherwise its content's hash, so that sending a file twice makes
    /// duplicates and nothing else.
    private static String recordId(byte[] value) {
        try {
            JsonNode id = Json.readTree(value).path("id");
            if (id.isTextual() && !id.asText().isBlank() || id.isIntegralNumber()) {
                return id.asText();
            }
        } catch (IOException notJson) {
            // Ingest refuses it with the reason; here it only needs a key.
        }
        return Sha256.of(value).substring(0, 32);
    }

    private RecordCounts counts() {
        return client.datasets().get(datasetId).map(RecordPublisher::counts).orElse(RecordCounts.ZERO);
    }

    private static RecordCounts counts(DatasetEvent event) {
        return event instanceof DatasetLedger ledger ? ledger.counts() : RecordCounts.ZERO;
    }

    private RecordCounts await(long in) {
        long lastChange = System.nanoTime();
        RecordCounts seen = counts();
        while (seen.in() < in) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
            RecordCounts now = counts();
            lastChange = now.equals(seen) ? lastChange : System.nanoTime();
            seen = now;
            if (System.nanoTime() - lastChange > PATIENCE.toNanos()) {
                throw new CliException(ExitCode.FAILED, "all records are in the broker, but ingest has accounted for only "
                        + seen.in() + " of " + in + " and stands still; see ./sluice status");
            }
        }
        return seen;
    }
}
