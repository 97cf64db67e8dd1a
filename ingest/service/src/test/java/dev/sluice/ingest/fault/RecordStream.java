package dev.sluice.ingest.fault;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.sluice.contracts.dataset.RecordCounts;
import dev.sluice.contracts.dataset.RecordHeaders;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.CloudEvent;
import org.apache.kafka.clients.producer.ProducerRecord;

/// Records as careless producers send them: of every hundred, three are sent before and two are rubbish. Keys spread them
/// over all partitions.
final class RecordStream {

    static final String DATASET = "stream";

    private RecordStream() {}

    static void send(KafkaConnection connection, Topics topics, int records) {
        try (var producer = connection.producer()) {
            for (int i = 0; i < records; i++) {
                var message = new ProducerRecord<>(topics.name(Topic.RECORDS), "record-" + i, record(i));
                CloudEvent.put(message.headers(), RecordHeaders.DATASET, DATASET);
                producer.send(message);
            }
        }
    }

    /// Conversations of about a hundred tokens, all good, in the order of one file.
    static void sendFile(KafkaConnection connection, Topics topics, int records) {
        int partition = Topics.partitionFor(DATASET, Topic.RECORDS.partitions());
        try (var producer = connection.producer()) {
            for (int i = 0; i < records; i++) {
                byte[] record = conversation(i, "a longer question that goes on about mixers, washers and gates ".repeat(3));
                var message = new ProducerRecord<>(topics.name(Topic.RECORDS), partition, "record-" + i, record);
                CloudEvent.put(message.headers(), RecordHeaders.DATASET, DATASET);
                producer.send(message);
            }
        }
    }

    static RecordCounts expected(int records) {
        int hundreds = records / 100;
        return RecordCounts.of(95L * hundreds, 3L * hundreds, 2L * hundreds);
    }

    private static byte[] record(int i) {
        return switch (i % 100) {
            case 97, 98, 99 -> conversation(i - 50);
            case 95 -> "[".repeat(500).getBytes(UTF_8);
            case 96 -> new byte[] {'{', (byte) 0xff, (byte) i};
            default -> conversation(i);
        };
    }

    private static byte[] conversation(int i) {
        return conversation(i, "at some length so that it is like a real one");
    }

    private static byte[] conversation(int i, String more) {
        return ("{\"messages\":[{\"role\":\"user\",\"content\":\"question " + i + ", " + more + "\"},"
                + "{\"role\":\"assistant\",\"content\":\"answer " + i + "\"}]}").getBytes(UTF_8);
    }
}
