package dev.sluice.contracts.log;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/// How to reach the broker, and the one place where clients get their settings: string keys, byte values, read_committed,
/// idempotent, nothing committed automatically.
///
/// @param bootstrapServers `host:port[,host:port]`
/// @param clientId shown in the broker's log and metrics, for example `sluice-trainer`
/// @param security any `security.*`, `sasl.*`, `ssl.*` properties of Kafka's clients
public record KafkaConnection(String bootstrapServers, String clientId, Map<String, String> security) {

    /// Largest request of our producers, in bytes: the largest topic limit plus its envelope.
    private static final int MAX_REQUEST_BYTES = 17 << 20;

    /// Client properties for TLS and SASL, by Kafka's names.
    public static final List<String> SECURITY_SETTINGS = List.of("security.protocol", "sasl.mechanism", "sasl.jaas.config",
            "ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password", "ssl.keystore.type", "ssl.keystore.location",
            "ssl.keystore.password", "ssl.key.password");

    public KafkaConnection {
        if (bootstrapServers == null || bootstrapServers.isBlank()) {
            throw new IllegalArgumentException("kafka.bootstrap.servers is missing; set it to host:port of the broker");
        }
        Objects.requireNonNull(clientId, "clientId");
        security = Map.copyOf(security);
    }

    public KafkaConnection(String bootstrapServers, String clientId) {
        this(bootstrapServers, clientId, Map.of());
    }

    /// From a service's configuration: `kafka.bootstrap.servers`, and `kafka.` + each of [#SECURITY_SETTINGS] that is set.
    ///
    /// @param setting looks a key up
    public static KafkaConnection configured(String clientId, Function<String, Optional<String>> setting) {
        Map<String, String> security = new HashMap<>();
        SECURITY_SETTINGS.forEach(name -> setting.apply("kafka." + name).ifPresent(value -> security.put(name, value)));
        return new KafkaConnection(setting.apply("kafka.bootstrap.servers").orElse(""), clientId, security);
    }

    public Admin admin() {
        return Admin.create(common("admin"));
    }

    /// A producer for messages that stand alone: acknowledged by all replicas, in order.
    public Producer<String, byte[]> producer() {
        return new KafkaProducer<>(producerSettings("producer"), new StringSerializer(), new ByteArraySerializer());
    }

    /// A producer for messages that may be lost (progress): one acknowledgement, no long wait.
    public Producer<String, byte[]> lossyProducer() {
        Map<String, Object> settings = producerSettings("lossy");
        settings.put(ProducerConfig.ACKS_CONFIG, "1");
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, false);
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 500);
        return new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer());
    }

    /// A producer that has claimed `transactionalId`: every earlier owner of that id is fenced.
    public TransactionalProducer transactional(String transactionalId) {
        return transactional(transactionalId, Map.of());
    }

    /// As [#transactional(String)], with own limits of time.
    ///
    /// @param limits producer settings that replace ours, by Kafka's names
    public TransactionalProducer transactional(String transactionalId, Map<String, Object> limits) {
        Map<String, Object> settings = producerSettings(transactionalId);
        settings.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, transactionalId);
        settings.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, 30_000);
        settings.putAll(limits);
        return TransactionalProducer.claim(transactionalId,
                new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer()));
    }

    /// A consumer without a group, for [CompactedView] and [LogRange].
    public Consumer<String, byte[]> assigned(String purpose) {
        return new KafkaConsumer<>(consumerSettings(purpose), new StringDeserializer(), new ByteArrayDeserializer());
    }

    /// A consumer that sees the very end of a topic, open transactions included: what was written is before it.
    Consumer<String, byte[]> probe(String purpose) {
        Map<String, Object> settings = consumerSettings(purpose);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_uncommitted");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer());
    }

    /// A consumer in a group, reading from the beginning when the group is new. Keys are bytes, because anyone may write them.
    ///
    /// @param maxPollRecords most records of one poll
    public Consumer<byte[], byte[]> grouped(String group, int maxPollRecords) {
        Map<String, Object> settings = consumerSettings(group);
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, maxPollRecords);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private Map<String, Object> producerSettings(String purpose) {
        Map<String, Object> settings = common(purpose);
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 5);
        settings.put(ProducerConfig.BATCH_SIZE_CONFIG, 128 << 10);
        settings.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, MAX_REQUEST_BYTES);
        settings.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "lz4");
        return settings;
    }

    private Map<String, Object> consumerSettings(String purpose) {
        Map<String, Object> settings = common(purpose);
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
        settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 2_000);
        settings.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        return settings;
    }

    private Map<String, Object> common(String purpose) {
        Map<String, Object> settings = new HashMap<>(security);
        settings.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
        settings.put(CommonClientConfigs.CLIENT_ID_CONFIG, clientId + "-" + purpose);
        settings.put(CommonClientConfigs.RECONNECT_BACKOFF_MAX_MS_CONFIG, 1_000);
        return settings;
    }
}
