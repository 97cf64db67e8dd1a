package dev.sluice.evaluator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.evaluation.RuleResult;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.contracts.job.TriggerKind;
import dev.sluice.contracts.log.FencedException;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.store.Manifest;
import dev.sluice.contracts.wire.Json;
import dev.sluice.evaluator.fixture.GoldenCase;
import dev.sluice.evaluator.fixture.TestPipeline;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import dev.sluice.evaluator.retrain.RetrainRule;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A real broker, a real store, and the golden model with its two adapters: the trained one beats the base model, the
/// initial one does not beat the trained one.
class EvaluatorTest {

    private static final GoldenCase GOLDEN = GoldenCase.named("bfloat16-eleven-experts");
    private static final Evaluation SUPPORT = new Evaluation("support", 2, null, null);
    private static final RetrainRule NEVER = new RetrainRule(0, Duration.ZERO);

    @TempDir
    private Path folder;
    private TestPipeline pipeline;
    private final SimpleMeterRegistry metrics = new SimpleMeterRegistry();

    @BeforeEach
    void open() {
        pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "e" + UUID.randomUUID().toString().substring(0, 8), folder);
    }

    @AfterEach
    void close() {
        pipeline.close();
    }

    @Test
    void betterAdapterIsScoredAsTransformersDoesAndPromoted() throws IOException {
        try (var _ = evaluator(NEVER)) {
            AdapterPublished adapter = publish(GOLDEN.trainedAdapter(), "job-1", SUPPORT);
            Promotion promotion = pipeline.log().awaitDecision(adapter.adapterId());
            assertEquals(Decision.PROMOTE, promotion.decision());
            assertEquals(adapter.adapterId(), promotion.championId());
            assertEquals("job-1", promotion.championJobId());
            assertEquals(1, promotion.version());
            assertNull(promotion.previousChampionId());
            Score score = pipeline.log().awaitScore(adapter.adapterId());
            double tokens = sum(GOLDEN.nll("tokens"));
            assertEquals((long) tokens, score.tokens());
            assertEquals(sum(GOLDEN.nll("base")) / tokens, score.baselineMetrics().get("nll_per_token").value(), 1e-4);
            assertEquals(sum(GOLDEN.nll("adapted")) / tokens, score.candidateMetrics().get("nll_per_token").value(), 1e-4);
            assertEquals(sum(GOLDEN.nll("adapted")) / score.textBytes() / Math.log(2), score.candidateMetrics().get("bits_per_byte").value(), 1e-4);
            assertTrue(score.paired().low() > 0 && score.paired().low() < score.paired().delta(), score.paired().toString());
            likelihoods(score);
            Gauge perplexity = pipeline.log().await("the gauge", () -> Optional.ofNullable(metrics.find("sluice.eval.metric")
                    .tags("alias", "support", "side", "candidate", "metric", "perplexity").gauge()));
            assertEquals(score.candidateMetrics().get("perplexity").value(), perplexity.value());
            assertEquals(1, metrics.get("sluice.promotions").tag("decision", "PROMOTE").counter().count());
        }
    }

    @Test
    void worseAdapterLosesAgainstTheChampionAndTheChampionCanBeRolledBack() throws Exception {
        try (var evaluator = evaluator(NEVER)) {
            AdapterPublished first = publish(GOLDEN.trainedAdapter(), "job-1", SUPPORT);
            pipeline.log().awaitDecision(first.adapterId());
            AdapterPublished second = publish(GOLDEN.initAdapter(), "job-2", SUPPORT);
            Promotion promotion = pipeline.log().awaitDecision(second.adapterId());

            assertEquals(Decision.REJECT, promotion.decision(), promotion.toString());
            assertEquals(first.adapterId(), promotion.championId());
            pipeline.log().await("both scores", () -> Optional.of(pipeline.log().scores(second.adapterId())).filter(scores -> scores.size() == 2));
            assertEquals(List.of(Score.BASE, first.adapterId()), pipeline.log().scores(second.adapterId()).stream().map(Score::baseline).toList());

            Session session = evaluator.session().orElseThrow();
            assertInstanceOf(Rollback.UnknownAlias.class, session.rollback("other", null, "ada", null));
            assertEquals(new Rollback.Changed(2), session.rollback("support", 1L, "ada", null));
            var done = assertInstanceOf(Rollback.Done.class, session.rollback("support", 2L, "ada", "too terse"));
            assertNull(done.promotion().championId());
            assertEquals(first.adapterId(), done.promotion().previousChampionId());
            var back = assertInstanceOf(Rollback.Done.class, session.rollback("support", null, "ada", null));
            assertEquals(first.adapterId(), back.promotion().championId());
            assertEquals(4, back.promotion().version());
        }
    }

    @Test
    void restartScoresNothingTwiceAndForgetsNothing() throws IOException {
        AdapterPublished first = publish(GOLDEN.trainedAdapter(), "job-1", SUPPORT);
        try (var _ = evaluator(NEVER)) {
            pipeline.log().awaitDecision(first.adapterId());
        }
        AdapterPublished whileAway = publish(GOLDEN.initAdapter(), "job-2", new Evaluation(null, null, null, null));
        try (var _ = evaluator(NEVER)) {
            pipeline.log().awaitScore(whileAway.adapterId());
        }
        assertEquals(1, pipeline.log().scores(first.adapterId()).size());
        assertEquals(1, pipeline.log().promotions("support").size());
        assertEquals(1, pipeline.log().scores(whileAway.adapterId()).size());
    }

    @Test
    void damagedFileIsRejectedWithTheReasonAndTheNextAdapterHasItsTurn() throws IOException {
        Path broken = Files.createDirectory(folder.resolve("broken"));
        Files.copy(GOLDEN.trainedAdapter().resolve("adapter_config.json"), broken.resolve("adapter_config.json"));
        Files.write(broken.resolve("adapter_model.safetensors"), new byte[100]);
        Manifest files = pipeline.stored(broken);
        Files.write(Path.of(files.file("adapter_model.safetensors").uri()), "not what was promised".getBytes(StandardCharsets.UTF_8));
        try (var _ = evaluator(NEVER)) {
            AdapterPublished damaged = pipeline.publish(files, GOLDEN.model(), pipeline.prepare(GOLDEN.heldout()), "job-1", SUPPORT);
            assertRejected(damaged, "it was damaged or replaced");
            AdapterPublished next = publish(GOLDEN.trainedAdapter(), "job-2", SUPPORT);
            assertEquals(Decision.PROMOTE, pipeline.log().awaitDecision(next.adapterId()).decision());
        }
        try (var _ = evaluator(NEVER)) {
            AdapterPublished third = publish(GOLDEN.initAdapter(), "job-3", new Evaluation(null, null, null, null));
            pipeline.log().awaitScore(third.adapterId());
        }
        assertEquals(2, pipeline.log().promotions("support").size(), "old news is no new decision");
    }

    @Test
    void missingFileIsTriedAgainAndThenRejected() throws IOException {
        Map<String, ArtifactRef> files = new TreeMap<>(pipeline.stored(GOLDEN.trainedAdapter()).files());
        files.put("adapter_model.safetensors", new ArtifactRef(URI.create(folder.toUri() + "store/objects/ab/abc"), "ab".repeat(32), 10));
        try (var _ = evaluator(NEVER)) {
            assertRejected(pipeline.publish(Manifest.of(files), GOLDEN.model(), pipeline.prepare(GOLDEN.heldout()), "job-1", SUPPORT),
                    "does not exist");
        }
    }

    @Test
    void adapterThatIsNotANumberIsRejected() throws IOException {
        Path broken = Files.createDirectory(folder.resolve("nan"));
        Files.copy(GOLDEN.trainedAdapter().resolve("adapter_config.json"), broken.resolve("adapter_config.json"));
        byte[] tensors = Files.readAllBytes(GOLDEN.trainedAdapter().resolve("adapter_model.safetensors"));
        Arrays.fill(tensors, tensors.length - 4000, tensors.length, (byte) 0xff); // all ones is a NaN in every float type
        Files.write(broken.resolve("adapter_model.safetensors"), tensors);
        try (var _ = evaluator(NEVER)) {
            assertRejected(publish(broken, "job-1", SUPPORT), "has the likelihood NaN under adapter");
        }
    }

    @Test
    void modelOfAnotherHashIsRejected() throws IOException {
        Manifest files = pipeline.stored(GOLDEN.trainedAdapter());
        try (var _ = evaluator(NEVER)) {
            var other = new ModelRef(GOLDEN.model().toUri(), "ab".repeat(32));
            assertRejected(pipeline.publish(files, other, pipeline.prepare(GOLDEN.heldout()), "job-1", SUPPORT), "the adapter was trained on abab");
        }
    }

    @Test
    void championThatCannotBeReadLeavesTheDecisionOpen() throws IOException {
        AdapterPublished champion = publish(GOLDEN.trainedAdapter(), "job-1", SUPPORT);
        try (var _ = evaluator(NEVER)) {
            pipeline.log().awaitDecision(champion.adapterId());
        }
        Files.write(Path.of(champion.files().file("adapter_model.safetensors").uri()), new byte[] {1});
        try (var _ = evaluator(NEVER)) {
            AdapterPublished next = publish(GOLDEN.initAdapter(), "job-2", SUPPORT);
            Promotion promotion = pipeline.log().awaitDecision(next.adapterId());
            assertEquals(Decision.INCONCLUSIVE, promotion.decision());
            assertEquals(champion.adapterId(), promotion.championId());
            assertTrue(promotion.rules().getLast().detail().contains("cannot be scored"), promotion.toString());
            assertEquals(Score.BASE, pipeline.log().awaitScore(next.adapterId()).baseline());
        }
    }

    @Test
    void nothingHeldOutIsInconclusive() throws IOException {
        try (var _ = evaluator(NEVER)) {
            AdapterPublished adapter = pipeline.publish(GOLDEN.trainedAdapter(), GOLDEN.model(), pipeline.prepare(List.of()), "job-1", SUPPORT);
            assertEquals(Decision.INCONCLUSIVE, pipeline.log().awaitDecision(adapter.adapterId()).decision());
        }
    }

    @Test
    void retrainingJobAppearsExactlyOnceAndNamesItsCause() throws IOException {
        AdapterPublished adapter = publish(GOLDEN.trainedAdapter(), "job-1", SUPPORT);
        pipeline.succeeded(adapter, pipeline.job("job-1", GOLDEN.model(), SUPPORT));
        pipeline.version(100);
        pipeline.accepted(149);
        var rule = new RetrainRule(50, Duration.ZERO);
        try (var evaluator = evaluator(rule)) {
            pipeline.log().await("49 counted", () -> evaluator.session().map(session -> session.retraining().latest().get("support"))
                    .filter("49 of 50 new examples"::equals));
            pipeline.accepted(150);
            JobSpec job = pipeline.log().await("the job", () -> pipeline.log().jobs().stream().findFirst());
            assertEquals(TriggerKind.RETRAIN, job.trigger().kind());
            assertTrue(job.dataset().isLatest());
            pipeline.accepted(300);
            awaitUnderWay(evaluator, job);
        }
        try (var evaluator = evaluator(rule)) {
            awaitUnderWay(evaluator, pipeline.log().jobs().getFirst());
        }
        assertEquals(1, pipeline.log().jobs().size());
    }

    @Test
    void secondEvaluatorEndsTheFirst() throws IOException {
        try (var first = evaluator(NEVER)) {
            Session zombie = pipeline.log().await("the first is ready", first::session);
            try (var _ = evaluator(NEVER)) {
                AdapterPublished adapter = publish(GOLDEN.trainedAdapter(), "job-1", SUPPORT);
                pipeline.log().awaitDecision(adapter.adapterId());
                assertThrows(FencedException.class, () -> zombie.rollback("support", null, "ada", null));
                pipeline.log().await("the first has ended", () -> Optional.of(first.life().state()).filter(Life.State.FENCED::equals));
                assertEquals(List.of(1L), pipeline.log().promotions("support").stream().map(Promotion::version).toList());
            }
        }
    }

    private void awaitUnderWay(Evaluator evaluator, JobSpec job) {
        pipeline.log().await("the rule sees its job", () -> evaluator.session().map(session -> session.retraining().latest().get("support"))
                .filter(("job " + job.jobId() + " for this alias is under way")::equals));
    }

    private void assertRejected(AdapterPublished adapter, String reason) {
        Promotion promotion = pipeline.log().awaitDecision(adapter.adapterId());
        assertEquals(Decision.REJECT, promotion.decision());
        RuleResult sanity = promotion.rules().stream().filter(rule -> rule.rule().equals("sanity")).findFirst().orElseThrow();
        assertEquals("FAIL", sanity.result());
        assertTrue(sanity.detail().contains(reason), sanity.detail());
        assertEquals(List.of(), pipeline.log().scores(adapter.adapterId()));
    }

    private void likelihoods(Score score) throws IOException {
        List<String> lines = pipeline.lines(score.rowScores());
        double[] base = GOLDEN.nll("base");
        double[] adapted = GOLDEN.nll("adapted");
        assertEquals(base.length, lines.size());
        for (int i = 0; i < base.length; i++) {
            JsonNode row = Json.readTree(lines.get(i).getBytes(StandardCharsets.UTF_8));
            assertEquals("r" + i, row.get("record_id").asText());
            assertEquals(GOLDEN.nll("tokens")[i], row.get("tokens").asDouble());
            assertEquals(base[i], row.get("base_nll").asDouble(), 1e-4 * base[i]);
            assertEquals(adapted[i], row.get("adapted_nll").asDouble(), 1e-4 * adapted[i]);
            assertEquals(GoldenCase.BYTES, row.get("bytes").asInt());
        }
    }

    private Evaluator evaluator(RetrainRule retrain) {
        return new Evaluator(pipeline.environment(GOLDEN.folder(), retrain), new EvaluatorMetrics(metrics)).start();
    }

    private AdapterPublished publish(Path adapter, String jobId, Evaluation evaluation) {
        return pipeline.publish(adapter, GOLDEN.model(), pipeline.prepare(GOLDEN.heldout()), jobId, evaluation);
    }

    private static double sum(double[] values) {
        return Arrays.stream(values).sum();
    }
}
