package dev.sluice.ingest;

import dev.sluice.cli.broker.SharedBroker;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.util.Map;

/// Gives the service under test the shared broker.
public class BrokerResource implements QuarkusTestResourceLifecycleManager {

    @Override
    public Map<String, String> start() {
        return Map.of("kafka.bootstrap.servers", SharedBroker.get().bootstrapServers());
    }

    @Override
    public void stop() {
        // the broker ends with the JVM
    }
}
