package dev.sluice.evaluator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.evaluator.fixture.GoldenCase;
import dev.sluice.evaluator.fixture.TestPipeline;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import dev.sluice.evaluator.retrain.RetrainRule;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// An adapter that cannot be scored says so in the log, once, whether it competes for an alias or not.
class UnscoredTest {

    private static final GoldenCase GOLDEN = GoldenCase.named("bfloat16-eleven-experts");
    private static final Evaluation NO_ALIAS = new Evaluation(null, 2, null, null);
    private static final String TENSORS = "adapter_model.safetensors";

    @TempDir
    private Path folder;
    private TestPipeline pipeline;
    private String prepared;

    @BeforeEach
    void open() {
        pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "u" + UUID.randomUUID().toString().substring(0, 8), folder);
        prepared = pipeline.prepare(GOLDEN.heldout());
    }

    @AfterEach
    void close() {
        pipeline.close();
    }

    @Test
    void missingFolderIsReportedOnceAndScoredByTheNextStartWhenItIsBack() throws IOException {
        Manifest files = pipeline.stored(GOLDEN.trainedAdapter());
        Path object = Path.of(files.file(TENSORS).uri()).getParent();
        Path away = Files.move(object, folder.resolve("away"));
        AdapterPublished adapter = publish(files, "job-1");
        try (var _ = evaluator()) {
            Unscored unscored = pipeline.log().awaitUnscored(adapter.adapterId());
            assertNames(unscored, adapter, "does not exist", object.toString(), "sluice.store", "restart the evaluator");
            assertTrue(unscored.retryable());
            assertTheNextHasItsTurn("job-2");
        }
        try (var evaluator = evaluator()) {
            pipeline.log().await("the second chance has been had", () -> evaluator.session().filter(session -> session.queue().secondChances().isEmpty()));
        }
        assertEquals(1, pipeline.log().unscored(adapter.adapterId()).size(), "the same failure is no news");
        Files.move(away, object);
        try (var _ = evaluator()) {
            assertEquals("job-1", pipeline.log().awaitScore(adapter.adapterId()).jobId());
        }
        assertEquals(1, pipeline.log().unscored(adapter.adapterId()).size());
    }

    @Test
    void damagedTensorsAreReportedOnceAndTheSameFilesOfAnotherJobAreLookedAtAnew() throws IOException {
        AdapterPublished adapter = publish(damaged(), "job-1");
        try (var _ = evaluator()) {
            Unscored unscored = pipeline.log().awaitUnscored(adapter.adapterId());
            assertNames(unscored, adapter, "make no adapter of", TENSORS, "the header claims", "train it again");
            assertFalse(unscored.retryable());
        }
        try (var _ = evaluator()) {
            assertTheNextHasItsTurn("job-2");
            assertEquals(1, pipeline.log().unscored(adapter.adapterId()).size(), "old news");
            publish(adapter.files(), "job-3");
            pipeline.log().await("what became of job-3",
                    () -> pipeline.log().unscored(adapter.adapterId()).stream().filter(unscored -> unscored.jobId().equals("job-3")).findFirst());
        }
    }

    @Test
    void otherBaseModelIsReported() throws IOException {
        var other = new ModelRef(GOLDEN.model().toUri(), "ab".repeat(32));
        AdapterPublished adapter = pipeline.publish(pipeline.stored(GOLDEN.trainedAdapter()), other, prepared, "job-1", NO_ALIAS);
        try (var _ = evaluator()) {
            Unscored unscored = pipeline.log().awaitUnscored(adapter.adapterId());
            assertNames(unscored, adapter, "has hash", "wanted was abab", "put the right model there", "restart the evaluator");
            assertTrue(unscored.retryable());
        }
    }

    @Test
    void heldOutRowsThatNobodyPreparedAreReported() throws IOException {
        AdapterPublished adapter = pipeline.publish(GOLDEN.trainedAdapter(), GOLDEN.model(), "nowhere", "job-1", NO_ALIAS);
        try (var _ = evaluator()) {
            assertNames(pipeline.log().awaitUnscored(adapter.adapterId()), adapter, "prepared dataset nowhere is not in", "restart the evaluator");
        }
    }

    @Test
    void decisionAboutAnAliasComesWithTheSameReason() throws IOException {
        AdapterPublished adapter = pipeline.publish(damaged(), GOLDEN.model(), prepared, "job-1", new Evaluation("support", 2, null, null));
        try (var _ = evaluator()) {
            var decision = pipeline.log().awaitDecision(adapter.adapterId());
            Unscored unscored = pipeline.log().awaitUnscored(adapter.adapterId());
            assertEquals(Decision.REJECT, decision.decision());
            assertEquals(List.of(unscored.reason()), decision.rules().stream().filter(rule -> rule.result().equals("FAIL")).map(rule -> rule.detail()).toList());
        }
    }

    private static void assertNames(Unscored unscored, AdapterPublished adapter, String... parts) {
        assertEquals(adapter.jobId(), unscored.jobId());
        assertEquals(adapter.preparedId(), unscored.suite());
        assertTrue(unscored.reason().startsWith("cannot score adapter " + adapter.adapterId() + " of job " + adapter.jobId()), unscored.reason());
        for (String part : parts) {
            assertTrue(unscored.reason().contains(part), unscored.reason());
        }
    }

    private void assertTheNextHasItsTurn(String jobId) throws IOException {
        AdapterPublished next = publish(pipeline.stored(GOLDEN.initAdapter()), jobId);
        assertEquals(jobId, pipeline.log().awaitScore(next.adapterId()).jobId());
    }

    /// Files with the hashes they were published with, whose tensors are none.
    private Manifest damaged() throws IOException {
        Path broken = Files.createDirectory(folder.resolve("broken"));
        Files.copy(GOLDEN.trainedAdapter().resolve("adapter_config.json"), broken.resolve("adapter_config.json"));
        byte[] tensors = new byte[100];
        tensors[7] = 1; // a header of 2^56 bytes
        Files.write(broken.resolve(TENSORS), tensors);
        return pipeline.stored(broken);
    }

    private AdapterPublished publish(Manifest files, String jobId) throws IOException {
        return pipeline.publish(files, GOLDEN.model(), prepared, jobId, NO_ALIAS);
    }

    private Evaluator evaluator() {
        return new Evaluator(pipeline.environment(GOLDEN.folder(), new RetrainRule(0, Duration.ZERO)), new EvaluatorMetrics(new SimpleMeterRegistry())).start();
    }
}
