package dev.sluice.trainer;

import dev.sluice.contracts.log.KafkaConnection;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.eclipse.microprofile.config.Config;

/// How to reach the broker, from the `kafka.*` keys that Quarkus' own channels would use.
final class KafkaSettings {

    private KafkaSettings() {}

    /// Asks for Kafka's names one by one, so that environment variables such as `KAFKA_SASL_JAAS_CONFIG` are found too.
    static KafkaConnection read(Config config) {
        Map<String, String> security = new HashMap<>();
        ProducerConfig.configNames().stream().filter(KafkaSettings::isSecurity).forEach(name ->
                config.getOptionalValue("kafka." + name, String.class).ifPresent(value -> security.put(name, value)));
        String servers = config.getOptionalValue("kafka.bootstrap.servers", String.class).orElse(null);
        return new KafkaConnection(servers, "sluice-trainer", security);
    }

    private static boolean isSecurity(String name) {
        return name.startsWith("security.") || name.startsWith("sasl.") || name.startsWith("ssl.");
    }
}
