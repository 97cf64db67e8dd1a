package dev.sluice.ingest.config;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.Json;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.config.Config;

/// The shared objects that configuration decides.
@ApplicationScoped
class Connections {

    @Produces
    @Singleton
    KafkaConnection connection(Config config) {
        return KafkaConnection.configured("sluice-ingest", key -> config.getOptionalValue(key, String.class));
    }

    @Produces
    @Singleton
    Topics topics(IngestConfig config) {
        return new Topics(config.topicPrefix());
    }

    /// REST speaks the same JSON as the topics.
    @Produces
    @Singleton
    ObjectMapper json() {
        return Json.mapper();
    }
}
