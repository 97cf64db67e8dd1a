package dev.sluice.cli.client;

import dev.sluice.contracts.dataset.RecordHeaders;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.wire.CloudEvent;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/// Reads the dead-letter topic of records: what was refused, and why.
public final class RefusedRecords {
    private static final int SHOWN_CHARACTERS = 120;
    private static final Duration POLL = Duration.ofMillis(200);
    private final Client client;

    public RefusedRecords(Client client) {
        this.client = client;
    }

    /// @param dataset id, or null for a record that named none
    /// @param record the record's key, or null
    /// @param value the beginning of the untouched bytes, as text
    public record Refused(String dataset, String record, String code, String reason, String value) {}

    /// Refused records in the order of the log, as far as it reaches now.
    ///
    /// @param dataset only those of this dataset, or null for all
    public List<Refused> read(String dataset) {
        var refused = new ArrayList<Refused>();
        try (var consumer = client.kafka().assigned("refused")) {
            String topic = client.topics().name(Topic.RECORDS_DLQ);
            var partitions = consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                consumer.poll(POLL).forEach(message -> refused.add(refused(message)));
            }
        }
        return refused.stream().filter(record -> dataset == null || dataset.equals(record.dataset())).toList();
    }

    private static Refused refused(ConsumerRecord<String, byte[]> message) {
        byte[] value = message.value() == null ? new byte[0] : message.value();
        String text = new String(value, 0, Math.min(value.length, SHOWN_CHARACTERS), StandardCharsets.UTF_8);
        return new Refused(CloudEvent.text(message.headers(), RecordHeaders.DATASET), message.key(),
                CloudEvent.text(message.headers(), "dlq-code"), CloudEvent.text(message.headers(), "dead-letter-reason"), text);
    }
}
