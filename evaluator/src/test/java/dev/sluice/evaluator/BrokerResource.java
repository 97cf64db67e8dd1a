package dev.sluice.evaluator;

import dev.sluice.cli.broker.SharedBroker;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.UUID;

/// The JVM's shared broker with a topic prefix of its own, and an empty store.
public final class BrokerResource implements QuarkusTestResourceLifecycleManager {

    @Override
    public Map<String, String> start() {
        try {
            return Map.of("kafka.bootstrap.servers", SharedBroker.get().bootstrapServers(),
                    "sluice.topic-prefix", "q" + UUID.randomUUID().toString().substring(0, 8),
                    "sluice.store", Files.createTempDirectory("sluice-evaluator-store").toUri().toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void stop() {
        // the broker ends with the JVM
    }
}
