package dev.sluice.cli.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.Sluice;
import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.adapter.TrainingSummary;
import dev.sluice.contracts.dataset.OffsetRange;
import dev.sluice.contracts.dataset.PrepareSettings;
import dev.sluice.contracts.dataset.PreparedDataset;
import dev.sluice.contracts.dataset.PreparedSplit;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.RuleResult;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.job.AdapterFormat;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Lora;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.log.CompactedView;
import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.contracts.topic.Topic;
import dev.sluice.contracts.topic.TopicAdmin;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.contracts.wire.EventWriter;
import dev.sluice.contracts.wire.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.Producer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `./sluice train` beside services that train well and then cannot score: what they would write, written by the test.
class TrainWithoutScoreTest {
    private static final String HASH = "ab".repeat(32);
    private static final Duration AT_ONCE = Duration.ofSeconds(60);
    private static final PreparedDataset PREPARED = prepared();
    @TempDir
    private Path model;
    private final KafkaConnection connection = SharedBroker.get().connection("test");
    private final Topics topics = new Topics("t" + UUID.randomUUID().toString().substring(0, 8));
    private final EventWriter events = new EventWriter(topics, "/test");
    private Producer<String, byte[]> producer;
    private CompactedView<JobSpec> jobs;
    private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
    /// What the evaluator waits for before its verdict: each until it has been printed.
    private List<String> waits = List.of();

    @BeforeEach
    void services() throws IOException {
        Files.writeString(model.resolve("config.json"), "{}");
        try (var admin = connection.admin()) {
            new TopicAdmin(admin, topics).createMissing(1);
        }
        producer = connection.producer();
        jobs = new CompactedView<>(connection, topics.name(Topic.JOBS), value -> Json.read(value, JobSpec.class));
        jobs.onChange((_, spec) -> trainedButNotScored(spec));
    }

    @AfterEach
    void close() {
        jobs.close();
        producer.close();
    }

    @Test
    void theReasonIsPrintedAndTheExitCodeSaysDoneInPart() {
        String printed = train();
        assertTrue(printed.contains("no score: cannot score adapter " + files().id() + ": it does not exist; put it back"), printed);
    }

    @Test
    void theDecisionAboutAnAliasIsPrintedWithIt() {
        String printed = train("--alias", "support");
        assertTrue(printed.contains("no score: cannot score adapter"), printed);
        assertTrue(printed.contains("support: REJECT, champion is now the base model"), printed);
    }

    /// What an earlier job left about the same files neither ends the wait nor counts as the decision.
    @Test
    void theVerdictOfAnEarlierJobIsNotTakenForThisOne() {
        Unscored earlier = unscored("job-earlier", "an earlier reason");
        send(Topic.SCORES, earlier.key(), earlier);
        send(Topic.PROMOTIONS, "support", rejection(1, "an earlier reason", Instant.now().minusSeconds(60)));
        String printed = train("--alias", "support");
        assertTrue(printed.contains("put it back") && !printed.contains("an earlier reason"), printed);
    }

    @Test
    void whatTheScoreWaitsForIsPrintedWhileItWaits() {
        waits = List.of("the store is away", "backend hopper cannot run here");
        String printed = train();
        assertEquals(List.of("  no score yet: the store is away", "  no score yet: backend hopper cannot run here"),
                printed.lines().filter(line -> line.contains("no score yet")).toList());
        assertTrue(printed.contains("no score: cannot score adapter"), printed);
    }

    private String train(String... more) {
        var arguments = new String[] {"train", "--model", model.toString(), "--dataset", "calls",
            "--bootstrap-servers", connection.bootstrapServers(), "--topic-prefix", topics.prefix()};
        var all = Stream.of(arguments, more).flatMap(Arrays::stream).toArray(String[]::new);
        PrintStream before = System.out;
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            assertEquals(ExitCode.PARTLY.number(), assertTimeoutPreemptively(AT_ONCE, () -> Sluice.run(all)));
        } finally {
            System.setOut(before);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }

    private void trainedButNotScored(JobSpec spec) {
        Manifest files = files();
        Instant now = Instant.now();
        send(Topic.DATASETS, PREPARED.key(), PREPARED);
        send(Topic.ADAPTERS, files.id(), new AdapterPublished(files.id(), files, spec.jobId(), 1, 1, new ModelRef(spec.model().uri(), HASH), "calls", 1,
                PREPARED.preparedId(), Lora.defaults(), AdapterFormat.PEFT_3D, new TrainingSummary(4, 3, 2, 100, 1), null, spec.evaluation(), now));
        JobState running = JobState.submitted(spec, HASH, now).edit().phase(JobPhase.QUEUED).preparedId(PREPARED.preparedId()).at(now)
                .edit().claimed(1, 1, "trainer", now).at(now);
        send(Topic.JOB_STATE, spec.jobId(), running.edit().phase(JobPhase.PUBLISHING).at(now)
                .edit().phase(JobPhase.SUCCEEDED).released().adapterId(files.id()).at(now));
        waits.forEach(reason -> waiting(spec.jobId(), reason));
        Unscored unscored = unscored(spec.jobId(), "cannot score adapter " + files.id() + ": it does not exist; put it back");
        send(Topic.SCORES, unscored.key(), unscored);
        if (spec.evaluation().alias() != null) {
            send(Topic.PROMOTIONS, spec.evaluation().alias(), rejection(2, unscored.reason(), unscored.failedAt()));
        }
    }

    private void waiting(String jobId, String reason) {
        var waiting = new Waiting(files().id(), jobId, PREPARED.preparedId(), reason, Instant.now());
        send(Topic.SCORES, waiting.key(), waiting);
        long deadline = System.nanoTime() + AT_ONCE.toNanos();
        while (!printed.toString(StandardCharsets.UTF_8).contains(reason) && System.nanoTime() < deadline) {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
        }
    }

    private static Unscored unscored(String jobId, String reason) {
        return new Unscored(files().id(), jobId, PREPARED.preparedId(), reason, true, Instant.now());
    }

    private static Promotion rejection(long version, String reason, Instant at) {
        return new Promotion("support", version, Decision.REJECT, files().id(), null, null, null, null, null,
                List.of(new RuleResult("sanity", "FAIL", reason)), "policy", at);
    }

    private static Manifest files() {
        return Manifest.of(Map.of("adapter_model.safetensors", new ArtifactRef(URI.create("file:/store/objects/ab/abc"), HASH, 10)));
    }

    private static PreparedDataset prepared() {
        var settings = new PrepareSettings(512, false, 0.1);
        var train = new PreparedSplit(List.of(), 0, 0, 0, 0, 0, 0, HASH);
        var heldout = new PreparedSplit(List.of(new OffsetRange(0, 0, 3)), 3, 3, 30, 20, 0, 0, HASH);
        String id = PreparedDataset.idOf("calls", 1, HASH, null, null, null, HASH, HASH, settings);
        return new PreparedDataset(id, "calls", 1, HASH, null, null, null, HASH, HASH, settings, train, heldout, Instant.now());
    }

    private void send(Topic topic, String key, Object value) {
        producer.send(events.message(topic, key, value));
        producer.flush();
    }
}
