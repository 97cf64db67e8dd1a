package dev.sluice.evaluator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.dataset.SequenceRow;
import dev.sluice.contracts.evaluation.Score;
import dev.sluice.contracts.job.Evaluation;
import dev.sluice.evaluator.fixture.SampleModel;
import dev.sluice.evaluator.fixture.TestPipeline;
import dev.sluice.evaluator.observe.EvaluatorMetrics;
import dev.sluice.evaluator.retrain.RetrainRule;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The pretrained sample model with an adapter that has learnt a few answers by heart.
class SampleAnswersTest {

    private static final int CONVERSATIONS = 4;

    @Test
    void answersBeforeAndAfterAreGivenInWordsAndCounted(@TempDir Path folder) {
        try (var sample = new SampleModel(); var pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "answers", folder)) {
            List<SequenceRow> rows = sample.rows(CONVERSATIONS);
            Path learnt = sample.learnByHeart(rows, folder.resolve("adapter"));
            String prepared = pipeline.prepare(rows);
            try (var _ = new Evaluator(pipeline.environment(sample.folder(), new RetrainRule(0, Duration.ZERO)),
                    new EvaluatorMetrics(new SimpleMeterRegistry())).start()) {
                AdapterPublished adapter = pipeline.publish(learnt, sample.folder(), prepared, "job-1", new Evaluation(null, 2, null, 3));
                Score score = pipeline.log().awaitScore(adapter.adapterId());

                assertEquals(3, score.samples().size());
                assertEquals(sample.firstAnswer(0), score.samples().getFirst().expected());
                assertTrue(score.samples().getFirst().prompt().contains(sample.firstPrompt(0)), score.samples().toString());
                assertEquals(score.samples().getFirst().expected(), score.samples().getFirst().candidate());
                assertEquals(0, score.baselineMetrics().get("exact_match").value(), score.samples().toString());
                assertEquals(1, score.candidateMetrics().get("exact_match").value(), score.samples().toString());
                assertEquals(1, score.candidateMetrics().get("token_accuracy").value(), 0.05);
            }
        }
    }
}
