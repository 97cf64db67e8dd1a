package dev.sluice.ingest.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.contracts.dataset.RecordHeaders;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.CloudEvent;
import dev.sluice.ingest.Await;
import dev.sluice.ingest.BrokerResource;
import dev.sluice.ingest.rest.Api;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.restassured.RestAssured;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(BrokerResource.class)
class RecordFatesTest {

    @Inject
    KafkaConnection connection;
    @Inject
    Topics topics;

    @BeforeEach
    void ready() {
        Api.awaitReady();
    }

    @Test
    void everyRecordHasOneFate() throws Exception {
        send("fates", "a", "{\"text\":\"one\"}".getBytes(UTF_8));
        send("fates", "b", "{\"text\":\"two\"}".getBytes(UTF_8));
        send("fates", "c", "{ \"text\" : \"one\" }".getBytes(UTF_8)); // the same content in other bytes
        send("fates", "d", "{\"tex\":\"three\"}".getBytes(UTF_8));
        send("fates", "e", null);
        Await.until(() -> Api.count("fates", "in"), in -> in == 4); // a message without a value names no dataset
        assertEquals(2, Api.count("fates", "accepted"));
        assertEquals(1, Api.count("fates", "duplicate"));
        assertEquals(1, Api.count("fates", "refused"));
    }

    @Test
    void theSameContentInAnotherDatasetIsNoDuplicate() throws Exception {
        send("fates-x", "a", "{\"text\":\"same\"}".getBytes(UTF_8));
        send("fates-y", "a", "{\"text\":\"same\"}".getBytes(UTF_8));
        Await.until(() -> Api.count("fates-x", "accepted") + Api.count("fates-y", "accepted"), accepted -> accepted == 2);
    }

    @Test
    void aRefusedRecordLiesUntouchedInTheDeadLetterTopic() throws Exception {
        byte[] poison = "[".repeat(100_000).getBytes(UTF_8);
        send("poison", "deep", poison);
        Await.until(() -> Api.count("poison", "refused"), refused -> refused == 1);
        var letter = deadLetters().stream().filter(message -> "deep".equals(message.key())).findFirst().orElseThrow();
        assertArrayEquals(poison, letter.value());
        assertEquals("TOO_DEEP", CloudEvent.text(letter.headers(), "dlq-code"));
        assertEquals("deserialize", CloudEvent.text(letter.headers(), "dlq-stage"));
        assertEquals(topics.name(Topic.RECORDS), CloudEvent.text(letter.headers(), "dead-letter-topic"));
        assertEquals("poison", CloudEvent.text(letter.headers(), RecordHeaders.DATASET));
    }

    @Test
    void recordsAboveTheLimitAreRefusedAndTheNextOnesGoOn() throws Exception {
        send("large", "big", ("{\"text\":\"" + "x".repeat(3 << 20) + "\"}").getBytes(UTF_8));
        send("large", "small", "{\"text\":\"small\"}".getBytes(UTF_8));
        Await.until(() -> Api.count("large", "in"), in -> in == 2);
        assertEquals(1, Api.count("large", "accepted"));
        assertEquals(1, Api.count("large", "refused"));
    }

    @Test
    void fatesAreCountedForPrometheus() throws Exception {
        send("metrics", "a", "{\"text\":\"counted\"}".getBytes(UTF_8));
        Await.until(() -> Api.count("metrics", "accepted"), accepted -> accepted == 1);
        String metrics = RestAssured.get("/q/metrics").asString();
        for (String result : List.of("accepted", "duplicate", "refused")) {
            assertEquals(1, metrics.lines().filter(line -> line.startsWith("sluice_records_total{result=\"" + result + "\"}")).count(), metrics);
        }
    }

    private void send(String dataset, String key, byte[] value) throws Exception {
        try (var producer = connection.producer()) {
            var message = new ProducerRecord<>(topics.name(Topic.RECORDS), key, value);
            if (value != null) {
                CloudEvent.put(message.headers(), RecordHeaders.DATASET, dataset);
            }
            producer.send(message).get();
        }
    }

    private List<ConsumerRecord<String, byte[]>> deadLetters() {
        List<ConsumerRecord<String, byte[]>> letters = new ArrayList<>();
        try (var consumer = connection.assigned("test")) {
            var partitions = consumer.partitionsFor(topics.name(Topic.RECORDS_DLQ)).stream().map(info -> new TopicPartition(info.topic(), info.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var ends = consumer.endOffsets(partitions);
            while (ends.entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
                consumer.poll(Duration.ofMillis(100)).forEach(letters::add);
            }
        }
        return letters;
    }
}
