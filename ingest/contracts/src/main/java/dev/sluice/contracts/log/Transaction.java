package dev.sluice.contracts.log;

import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;

/// An open transaction of a [TransactionalProducer].
public final class Transaction {

    private final Producer<String, byte[]> producer;

    Transaction(Producer<String, byte[]> producer) {
        this.producer = producer;
    }

    /// Sends within the transaction; the offset is known after [#flush].
    public Future<RecordMetadata> send(ProducerRecord<String, byte[]> message) {
        return producer.send(message);
    }

    /// Waits until the broker has everything sent so far (not yet visible to readers).
    public void flush() {
        producer.flush();
    }

    /// The consumed positions become part of the transaction.
    public void offsets(Map<TopicPartition, OffsetAndMetadata> positions, ConsumerGroupMetadata group) {
        producer.sendOffsetsToTransaction(positions, group);
    }

    /// The offset of a message sent and flushed.
    public static RecordMetadata sent(Future<RecordMetadata> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof KafkaException kafka ? kafka : new KafkaException("send failed", e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new KafkaException("send: interrupted", e);
        }
    }
}
