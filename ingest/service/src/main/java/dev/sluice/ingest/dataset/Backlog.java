package dev.sluice.ingest.dataset;

import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.ingest.record.Positions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.common.TopicPartition;

/// Waits for records that were sent before now, so that "latest" means what its sender thinks it means.
public final class Backlog {

    private final KafkaConnection connection;
    private final String records;
    private final Positions positions;
    private final Duration timeout;

    public Backlog(KafkaConnection connection, Topics topics, Positions positions, Duration timeout) {
        this.connection = connection;
        this.records = topics.name(Topic.RECORDS);
        this.positions = positions;
        this.timeout = timeout;
    }

    /// @return false when the records sent before now did not get their fate in time
    public boolean awaitNow() throws InterruptedException {
        return positions.await(ends(), timeout);
    }

    private Map<TopicPartition, Long> ends() {
        try (Consumer<String, byte[]> probe = connection.assigned("backlog")) {
            List<TopicPartition> partitions = probe.partitionsFor(records).stream()
                    .map(info -> new TopicPartition(info.topic(), info.partition())).toList();
            return probe.endOffsets(partitions);
        }
    }
}
