package dev.sluice.contracts.log;

import dev.sluice.contracts.dataset.OffsetRange;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;

/// Reads exact stretches of a topic, read_committed: the log as a file.
public final class LogRange {

    private static final Duration POLL = Duration.ofMillis(200);
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private LogRange() {}

    /// Hands every committed message of `key` within `ranges` to `sink`, range after range, in log order.
    ///
    /// @return messages handed over
    /// @throws org.apache.kafka.clients.consumer.OffsetOutOfRangeException when the log no longer reaches back that far
    /// @throws TimeoutException when the broker gives nothing for half a minute
    public static long read(KafkaConnection connection, String topic, List<OffsetRange> ranges, String key,
            Consumer<ConsumerRecord<String, byte[]>> sink) {
        long count = 0;
        try (var consumer = connection.assigned("range-" + topic)) {
            for (OffsetRange range : ranges) {
                count += read(consumer, new TopicPartition(topic, range.partition()), range, key, sink);
            }
        }
        return count;
    }

    private static long read(org.apache.kafka.clients.consumer.Consumer<String, byte[]> consumer, TopicPartition partition,
            OffsetRange range, String key, Consumer<ConsumerRecord<String, byte[]>> sink) {
        consumer.assign(List.of(partition));
        consumer.seek(partition, range.from());
        long count = 0;
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (consumer.position(partition) < range.to()) {
            for (ConsumerRecord<String, byte[]> message : consumer.poll(POLL)) {
                deadline = System.nanoTime() + PATIENCE.toNanos();
                if (message.offset() < range.to() && key.equals(message.key())) {
                    sink.accept(message);
                    count++;
                }
            }
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("read " + partition + " up to offset " + range.to() + ": stuck at "
                        + consumer.position(partition) + " for " + PATIENCE.toSeconds() + " s; is the broker up, is a transaction open?");
            }
        }
        return count;
    }
}
