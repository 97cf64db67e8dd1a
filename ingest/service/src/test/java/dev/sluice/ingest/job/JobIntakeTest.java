package dev.sluice.ingest.job;

import static io.restassured.RestAssured.given;
import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.equalTo;
import static org.hamcrest.Matchers.hasItems;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.dataset.Split;
import dev.sluice.contracts.job.Control;
import dev.sluice.contracts.job.ControlOperation;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.log.PreparedRows;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.ingest.Await;
import dev.sluice.ingest.BrokerResource;
import dev.sluice.ingest.Pipeline;
import dev.sluice.ingest.rest.Api;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@QuarkusTest
@QuarkusTestResource(BrokerResource.class)
class JobIntakeTest {

    @Inject
    Pipeline pipeline;
    @Inject
    KafkaConnection connection;
    @Inject
    Topics topics;

    @BeforeEach
    void ready() {
        Api.awaitReady();
    }

    @Test
    void aJobIsQueuedWithItsRowsInFileOrder() {
        Api.publish("order", Api.conversations(0, 40));
        JobState job = queued(Api.submit(spec("order", "\"heldout\": {\"fraction\": 0}, \"training\": {\"packing\": false, \"max_length\": 64,"
                + " \"num_train_epochs\": 2, \"gradient_accumulation_steps\": 8}")).statusCode(202).extract().path("job_id"));
        List<SequenceRow> rows = rows(job, Split.TRAIN);
        assertEquals(IntStream.range(0, 40).mapToObj(i -> List.of("r" + i)).toList(), rows.stream().map(SequenceRow::recordIds).toList());
        assertEquals(10, job.totalSteps());
        assertEquals(1L, job.spec().dataset().version());
        assertTrue(rows.stream().allMatch(row -> row.trainedTokens() > 0 && row.trainedTokens() < row.length()));
        assertEquals(0, prepared(job).heldout().rows());
    }

    @Test
    void preparingTwiceGivesIdenticalBytes() {
        Api.publish("twice-a", Api.conversations(0, 300));
        Api.publish("twice-b", Api.conversations(0, 300));
        String settings = "\"heldout\": {\"fraction\": 0.2}, \"training\": {\"max_length\": 128}";
        PreparedDataset one = prepared(queued(Api.submit(spec("twice-a", settings)).extract().path("job_id")));
        PreparedDataset two = prepared(queued(Api.submit(spec("twice-b", settings)).extract().path("job_id")));
        assertNotEquals(one.preparedId(), two.preparedId());
        assertEquals(one.train().sha256(), two.train().sha256());
        assertEquals(one.heldout().sha256(), two.heldout().sha256());
        assertEquals(300, one.train().examples() + one.heldout().examples());
        assertTrue(one.heldout().rows() > 30 && one.heldout().rows() < 90, "held out: " + one.heldout().rows());
        assertTrue(one.train().rows() < one.train().examples() / 2, "packed rows: " + one.train().rows());
    }

    @Test
    void heldOutRowsKnowTheBytesOfTheirTrainedText() {
        Api.publish("bytes", Api.conversations(0, 60));
        JobState job = queued(Api.submit(spec("bytes", "\"heldout\": {\"fraction\": 0.5}, \"training\": {\"max_length\": 64}")).extract().path("job_id"));
        List<SequenceRow> rows = rows(job, Split.HELDOUT);
        assertTrue(rows.size() > 10);
        for (SequenceRow row : rows) {
            assertArrayEquals(new int[] {("mixer-" + row.recordIds().getFirst().substring(1) + " CHECK").length()}, row.trainedBytes());
        }
    }

    @Test
    void aSeparateHeldOutDatasetIsScoredAndNeverTrained() {
        Api.publish("train-part", Api.conversations(0, 10));
        Api.publish("heldout-part", Api.conversations(100, 4));
        JobState job = queued(Api.submit(spec("train-part", "\"heldout\": {\"dataset\": {\"id\": \"heldout-part\"}},"
                + " \"training\": {\"packing\": false, \"max_length\": 64}")).extract().path("job_id"));
        assertEquals(10, rows(job, Split.TRAIN).size());
        assertEquals(List.of("r100", "r101", "r102", "r103"), rows(job, Split.HELDOUT).stream().map(row -> row.recordIds().getFirst()).toList());
    }

    @Test
    void theSameWorkIsDoneOnceAndItsRowsAreReused() {
        Api.publish("again", Api.conversations(0, 20));
        String spec = spec("again", "\"training\": {\"max_length\": 64}");
        String first = Api.submit(spec).statusCode(202).extract().path("job_id");
        Api.submit(spec).statusCode(200).body("job_id", equalTo(first));
        JobState job = queued(first);
        Api.submit(spec).statusCode(200).body("job_id", equalTo(first)).body("phase", equalTo("QUEUED"));
        JobState other = queued(Api.submit(spec("again", "\"nonce\": \"2\", \"training\": {\"max_length\": 64, \"seed\": 7}")).statusCode(202).extract().path("job_id"));
        assertEquals(job.preparedId(), other.preparedId());
        send(Topic.JOBS, "dup-1", spec.replaceFirst("\\{", "{\"job_id\": \"dup-1\","));
        assertEquals(JobCode.DUPLICATE, ended("dup-1").code());
    }

    @Test
    void wrongJobsAreRefusedWithTheirFields() {
        Api.submit("{\"model\": {\"uri\": \"models/x\"}, \"dataset\": {\"id\": \"d\"}, \"lora\": {\"rank\": 4}}").statusCode(400)
                .contentType("application/problem+json").body("errors.field", hasItems("model.uri", "lora.rank"));
        Api.submit("{").statusCode(400).body("title", equalTo("Not JSON"));
        Api.submit("[]").statusCode(400);
        Api.submit(spec("never-seen", "\"nonce\": \"1\"")).statusCode(400).body("errors[0].message", containsString("has no examples"));
        given().get("/jobs/nobody").then().statusCode(404);
        given().post("/jobs/nobody/cancel").then().statusCode(404);
    }

    @Test
    void aJobThatCannotBeDoneIsRejectedWithACode() {
        Api.publish("reject", Api.conversations(0, 10));
        assertEquals(JobCode.MODEL_UNSUPPORTED, ended(Api.submit(spec("reject", "\"nonce\": \"m\"").replace(Api.MODEL.toUri().toString(), "file:/nowhere"))
                .extract().path("job_id")).code());
        assertEquals(JobCode.HASH_MISMATCH, ended(Api.submit(spec("reject", "\"nonce\": \"h\"").replace("\"uri\"", "\"sha256\": \"" + "0".repeat(64) + "\", \"uri\""))
                .extract().path("job_id")).code());
        JobState short_ = ended(Api.submit(spec("reject", "\"nonce\": \"n\", \"training\": {\"max_length\": 4}")).extract().path("job_id"));
        assertEquals(JobCode.NOTHING_TO_TRAIN, short_.code());
        assertTrue(short_.reason().contains("maximum length"), short_.reason());
    }

    @Test
    void aTemplateThatNeverEndsIsRefusedWithoutTryingEveryExample(@TempDir Path folder) throws Exception {
        for (String file : List.of("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")) {
            Files.createSymbolicLink(folder.resolve(file), Api.MODEL.resolve(file));
        }
        Files.writeString(folder.resolve("chat_template.jinja"), "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}");
        Api.publish("endless", Api.conversations(0, 3_000));
        JobState job = ended(Api.submit(spec("endless", "\"nonce\": \"e\"").replace(Api.MODEL.toUri().toString(), folder.toUri().toString()))
                .extract().path("job_id"));
        assertEquals(JobCode.TEMPLATE_REFUSED, job.code(), job.reason());
        Duration took = Duration.between(job.submittedAt(), job.updatedAt());
        System.out.println("endless template refused after " + took.toMillis() + " ms: " + job.reason());
        assertTrue(took.compareTo(Duration.ofSeconds(10)) < 0, "took " + took);
    }

    @Test
    void rubbishOnTheJobsTopicIsRejectedAndTheNextJobGoesOn() {
        send(Topic.JOBS, "rubbish-1", "[".repeat(100_000));
        send(Topic.JOBS, "rubbish-2", "{\"job_id\": \"rubbish-2\"}");
        assertEquals(JobCode.INVALID_SPEC, ended("rubbish-1").code());
        assertTrue(ended("rubbish-2").reason().contains("model"), ended("rubbish-2").reason());
    }

    @Test
    void aQueuedJobIsCancelledAndStaysSo() {
        Api.publish("cancel", Api.conversations(0, 10));
        String id = Api.submit(spec("cancel", "\"nonce\": \"c\", \"training\": {\"max_length\": 64}")).extract().path("job_id");
        queued(id);
        given().post("/jobs/" + id + "/cancel?reason=test").then().statusCode(202);
        JobState job = ended(id);
        assertEquals(JobPhase.CANCELLED, job.phase());
        assertTrue(job.reason().contains("test"));
        given().post("/jobs/" + id + "/cancel").then().statusCode(409);
    }

    @Test
    void aCancelThatOvertakesItsJobStillCounts() {
        Api.publish("early", Api.conversations(0, 10));
        try (var producer = connection.producer()) {
            producer.send(new EventWriter(topics, "/test").message(Topic.CONTROL, "early-1",
                    new Control("early-1", ControlOperation.CANCEL, "test", null, Instant.now())));
        }
        send(Topic.JOBS, "early-1", spec("early", "\"job_id\": \"early-1\""));
        assertEquals(JobPhase.CANCELLED, ended("early-1").phase());
    }

    private static String spec(String dataset, String more) {
        return "{\"model\": {\"uri\": \"" + Api.MODEL.toUri() + "\"}, \"dataset\": {\"id\": \"" + dataset + "\"}, " + more + "}";
    }

    private static JobState queued(String id) {
        JobState job = Await.until(() -> Api.job(id), state -> state.phase() != JobPhase.SUBMITTED);
        assertEquals(JobPhase.QUEUED, job.phase(), job.reason());
        return job;
    }

    private static JobState ended(String id) {
        Await.until(() -> given().get("/jobs/" + id).statusCode(), status -> status == 200);
        return Await.until(() -> Api.job(id), state -> state.phase().isTerminal());
    }

    private PreparedDataset prepared(JobState job) {
        return pipeline.parts().orElseThrow().datasets().prepared(job.preparedId()).orElseThrow();
    }

    private List<SequenceRow> rows(JobState job, Split split) {
        return PreparedRows.read(connection, topics, prepared(job), split);
    }

    private void send(Topic topic, String key, String value) {
        try (var producer = connection.producer()) {
            producer.send(new ProducerRecord<>(topics.name(topic), key, value.getBytes()));
        }
    }
}
