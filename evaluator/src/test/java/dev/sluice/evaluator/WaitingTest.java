package dev.sluice.evaluator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Unscored;
import dev.sluice.contracts.evaluation.Waiting;
import dev.sluice.contracts.job.Evaluation;
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
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// While a score has to wait, the log says what for, once per reason; the score comes when it is there, once too.
class WaitingTest {

    private static final GoldenCase GOLDEN = GoldenCase.named("bfloat16-eleven-experts");
    private static final Evaluation NO_ALIAS = new Evaluation(null, 2, null, null);

    @TempDir
    private Path folder;
    private final SimpleMeterRegistry metrics = new SimpleMeterRegistry();
    private TestPipeline pipeline;
    private String prepared;

    @BeforeEach
    void open() {
        pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "w" + UUID.randomUUID().toString().substring(0, 8), folder);
        prepared = pipeline.prepare(GOLDEN.heldout());
    }

    @AfterEach
    void close() {
        pipeline.close();
    }

    @Test
    void storeThatIsAwayIsNamedOnceAndTheScoreComesWhenItIsBack() throws IOException {
        Manifest files = pipeline.stored(GOLDEN.trainedAdapter());
        try (var evaluator = evaluator("cpu")) {
            Path store = folder.resolve("store");
            Path away = Files.move(store, folder.resolve("away"));
            AdapterPublished adapter = publish(files, "job-1", new Evaluation("support", 2, null, null));
            Waiting waiting = pipeline.log().awaitWaiting(adapter.adapterId());
            assertNames(waiting, adapter, store + "/objects: the store is away", "sluice.store", "goes on trying");
            awaitTries(5);
            assertEquals(Optional.of(waiting.reason()),
                    evaluator.session().map(session -> session.queue().waitingFor().get(adapter.adapterId())));
            assertEquals(List.of(), pipeline.log().promotions("support"), "nothing is decided without a score");
            Files.move(away, store);
            assertEquals(Decision.PROMOTE, pipeline.log().awaitDecision(adapter.adapterId()).decision());
            assertEnded(adapter);
            assertEquals(Optional.of(0), evaluator.session().map(session -> session.queue().waitingFor().size()));
        }
    }

    @Test
    void backendThatIsAskedForAndNotThereIsNamedAndTheScoreComesFromTheNextStartWithAnother() throws IOException {
        AdapterPublished adapter = publish(pipeline.stored(GOLDEN.trainedAdapter()), "job-1", NO_ALIAS);
        try (var _ = evaluator("abacus")) {
            assertNames(pipeline.log().awaitWaiting(adapter.adapterId()), adapter, "backend abacus does not exist", "ask for auto",
                    "SLUICE_BACKEND");
            awaitTries(3);
        }
        try (var _ = evaluator("cpu")) {
            assertEnded(adapter);
        }
    }

    /// A job whose wait has ended waits for nothing any more.
    @Test
    void reasonWhyThereIsNoScoreIsNotTakenBackByALaterWait() throws IOException {
        Manifest files = pipeline.stored(GOLDEN.trainedAdapter());
        Path object = Path.of(files.file("adapter_model.safetensors").uri()).getParent();
        Files.move(object, folder.resolve("away"));
        AdapterPublished adapter = publish(files, "job-1", NO_ALIAS);
        Unscored unscored;
        try (var _ = evaluator("cpu")) {
            unscored = pipeline.log().awaitUnscored(adapter.adapterId());
        }
        int waits = pipeline.log().waiting(adapter.adapterId()).size();
        double tries = tries();
        try (var evaluator = evaluator("abacus")) {
            awaitTries(tries + 2);
            assertEquals(Optional.of(unscored.reason()),
                    evaluator.session().map(session -> session.queue().unscored().get(adapter.adapterId())));
        }
        assertEquals(waits, pipeline.log().waiting(adapter.adapterId()).size());
    }

    private void assertEnded(AdapterPublished adapter) {
        pipeline.log().awaitScore(adapter.adapterId());
        assertEquals(1, pipeline.log().scores(adapter.adapterId()).size());
        assertEquals(1, pipeline.log().waiting(adapter.adapterId()).size(), "the same reason is no news");
        assertEquals(List.of(), pipeline.log().unscored(adapter.adapterId()));
    }

    private static void assertNames(Waiting waiting, AdapterPublished adapter, String... parts) {
        assertEquals(adapter.jobId(), waiting.jobId());
        assertEquals(adapter.preparedId(), waiting.suite());
        assertTrue(waiting.reason().startsWith("cannot score adapter " + adapter.adapterId() + " of job " + adapter.jobId()), waiting.reason());
        for (String part : parts) {
            assertTrue(waiting.reason().contains(part), waiting.reason());
        }
    }

    private void awaitTries(double wanted) {
        pipeline.log().await(wanted + " tries in vain", () -> Optional.of(tries()).filter(tries -> tries >= wanted));
    }

    private double tries() {
        return metrics.find("sluice.eval.failures").counters().stream().mapToDouble(counter -> counter.count()).sum();
    }

    private AdapterPublished publish(Manifest files, String jobId, Evaluation evaluation) throws IOException {
        return pipeline.publish(files, GOLDEN.model(), prepared, jobId, evaluation);
    }

    private Evaluator evaluator(String backend) {
        return new Evaluator(pipeline.environment(GOLDEN.folder(), backend, new RetrainRule(0, Duration.ZERO)), new EvaluatorMetrics(metrics)).start();
    }
}
