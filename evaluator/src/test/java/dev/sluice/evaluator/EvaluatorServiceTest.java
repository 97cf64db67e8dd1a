package dev.sluice.evaluator;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(BrokerResource.class)
class EvaluatorServiceTest {

    @Inject
    EvaluatorService service;

    @Inject
    EvaluatorConfig config;

    @BeforeEach
    void ready() {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (service.session().isEmpty() && System.nanoTime() < deadline) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
        }
    }

    @Test
    void everyKeyHasItsDocumentedDefault() {
        assertEquals(1, config.replicationFactor());
        assertEquals(Optional.empty(), config.models());
        assertEquals(Optional.empty(), config.backend());
        assertEquals(10_000, config.evaluator().resamples());
        assertEquals(1234, config.evaluator().seed());
        assertEquals(256, config.evaluator().maxNewTokens());
        assertEquals(5, config.evaluator().attempts());
        assertEquals(Duration.ofSeconds(5), config.evaluator().retryAfter());
        assertEquals(Duration.ofMinutes(15), config.evaluator().stalledAfter());
        assertEquals(1000, config.retrain().newExamples());
        assertEquals(Duration.ofHours(6), config.retrain().coolDown());
    }

    @Test
    void healthIsUpWithABroker() {
        given().get("/q/health/ready").then().statusCode(200).body("status", equalTo("UP"));
        given().get("/q/health/live").then().statusCode(200).body("status", equalTo("UP"));
    }

    @Test
    void statusSaysWhatItIsAt() {
        given().get("/status").then().statusCode(200).body("state", equalTo("RUNNING")).body("waiting.size()", equalTo(0));
        given().get("/scores").then().statusCode(200).body("size()", equalTo(0));
    }

    @Test
    void rollbackOfAnUnknownAliasIsAProblemDocument() {
        given().post("/aliases/nobody/rollback").then().statusCode(404).contentType("application/problem+json")
                .body("detail", containsString("nobody"));
    }

    @Test
    void rollbackIsDoneOnceInViewOfAVersion() throws Exception {
        promoted("phone");
        given().contentType("application/json").body("{\"expected_version\": 3}").post("/aliases/phone/rollback").then().statusCode(409)
                .body("detail", containsString("version 7"));
        given().contentType("application/json").body("{\"expected_version\": 7, \"requested_by\": \"ada\", \"reason\": \"too terse\"}")
                .post("/aliases/phone/rollback").then().statusCode(200)
                .body("decision", equalTo("ROLLBACK")).body("actor", equalTo("ada")).body("version", equalTo(8))
                .body("previous_champion_id", equalTo("a1"));
        given().get("/promotions").then().statusCode(200).body("find { it.alias == 'phone' }.version", equalTo(8));
    }

    @Test
    void bodyThatIsNoJsonIsNoServerError() {
        given().contentType("application/json").body("{").post("/aliases/phone/rollback").then().statusCode(400);
    }

    @Test
    void metricsCountDecisions() throws Exception {
        promoted("counted");
        given().post("/aliases/counted/rollback").then().statusCode(200);
        given().get("/q/metrics").then().statusCode(200)
                .body(containsString("sluice_promotions_total{alias=\"counted\",decision=\"ROLLBACK\"} 1.0"));
    }

    private void promoted(String alias) throws Exception {
        var topics = new Topics(config.topicPrefix());
        var connection = new KafkaConnection(SharedBroker.get().bootstrapServers(), "test");
        try (var producer = connection.producer()) {
            producer.send(new EventWriter(topics, "/test").message(Topic.PROMOTIONS, alias, new Promotion(alias, 7, Decision.PROMOTE, "a1", "a1",
                    "job-1", "calls", 1L, null, List.of(), "policy", Instant.now()))).get();
        }
    }
}
