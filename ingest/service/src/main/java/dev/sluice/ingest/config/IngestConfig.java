package dev.sluice.ingest.config;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/// What an operator can set. `kafka.bootstrap.servers` and Kafka's security settings stand beside it, see
/// [dev.sluice.contracts.log.KafkaConnection#configured].
@ConfigMapping(prefix = "sluice")
public interface IngestConfig {

    /// First words of every topic name, consumer group and transactional id.
    @WithDefault("sluice")
    String topicPrefix();

    /// Replicas of topics that are created here. Use 3 where there are three brokers.
    @WithDefault("1")
    int replicationFactor();

    /// The artifact store, a `file:` address. Ingest itself keeps nothing there; all services share the key.
    Optional<URI> store();

    /// Folders under which model addresses may lie. Empty: anywhere, which is right on a machine of one's own only.
    Optional<List<String>> models();

    Ingest ingest();

    /// Settings of ingest alone.
    interface Ingest {

        /// Largest record that is accepted, in bytes. Larger ones are refused to the dead-letter topic.
        @WithDefault("1048576")
        int maxRecordBytes();

        /// Most records of one transaction.
        @WithDefault("2000")
        int batchRecords();

        /// Unread records above which `POST …/records` answers 429.
        @WithDefault("100000")
        long maxBacklogRecords();

        /// How long a job waits for records that were sent before it.
        @WithDefault("60s")
        Duration catchUpTimeout();
    }
}
