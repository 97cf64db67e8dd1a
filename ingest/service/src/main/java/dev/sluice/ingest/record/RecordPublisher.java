package dev.sluice.ingest.record;

import dev.sluice.contracts.dataset.RecordHeaders;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.contracts.wire.EventWriter;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;

/// Sends records that came over REST to the records topic, where they meet their fate like all others.
///
/// All of a dataset go to one partition, so that a file keeps its order.
public final class RecordPublisher {

    /// Largest line; what is larger than a record may be but fits here is refused with its bytes kept.
    public static final int MAX_LINE_BYTES = Topic.RECORDS.maxMessageBytes() - (64 << 10);

    private final Producer<String, byte[]> producer;
    private final Topics topics;
    private final Positions positions;
    private final long maxBacklog;

    public RecordPublisher(Producer<String, byte[]> producer, Topics topics, Positions positions, long maxBacklog) {
        this.producer = producer;
        this.topics = topics;
        this.positions = positions;
        this.maxBacklog = maxBacklog;
    }

    /// Whether so many records are unread that senders must wait.
    public boolean isBehind() {
        return positions.backlog() > maxBacklog;
    }

    /// Sends one record; [#confirm] tells when it is safe.
    public Future<RecordMetadata> send(String datasetId, byte[] record) {
        String id = Envelope.read(record).recordId();
        String key = id == null || id.isBlank() ? Envelope.idOf(record) : id;
        int partitions = producer.partitionsFor(topics.name(Topic.RECORDS)).size();
        var message = new ProducerRecord<>(topics.name(Topic.RECORDS), Topics.partitionFor(datasetId, partitions), key, record);
        CloudEvent.put(message.headers(), RecordHeaders.DATASET, datasetId);
        return producer.send(CloudEvent.of("/sluice/ingest/rest", EventWriter.type(Topic.RECORDS), datasetId).on(message));
    }

    /// @throws KafkaException when the broker did not take the record
    public static void confirm(Future<RecordMetadata> sent) throws InterruptedException {
        try {
            sent.get();
        } catch (ExecutionException e) {
            throw new KafkaException("publish record: " + e.getCause().getMessage(), e.getCause());
        }
    }
}
