package dev.sluice.ingest.rest;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;

import dev.sluice.ingest.BrokerResource;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import java.util.Map;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(BrokerResource.class)
@TestProfile(BackpressureTest.AlwaysBehind.class)
class BackpressureTest {

    /// A backlog of 0 records is too much.
    public static class AlwaysBehind implements QuarkusTestProfile {
        @Override
        public Map<String, String> getConfigOverrides() {
            return Map.of("sluice.topic-prefix", "behind", "sluice.ingest.max-backlog-records", "-1");
        }
    }

    @Test
    void senderIsToldToWaitWhenIngestIsBehind() {
        Api.awaitReady();
        Api.publish("wait", Api.conversations(0, 1)).statusCode(429).header("Retry-After", equalTo("2"))
                .body("detail", containsString("send it again later"));
    }
}
