package dev.sluice.evaluator.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.client.Outcome;
import dev.sluice.contracts.evaluation.Decision;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;

/// Conversations in, a scored and promoted adapter out; and the same while things are killed.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class PipelineIT {
    private static final String DATASET = "command-lines";
    private static final String ALIAS = "e2e";
    private static PipelineUnderTest pipeline;

    @BeforeAll
    static void start() {
        long before = System.nanoTime();
        pipeline = new PipelineUnderTest();
        double seconds = (System.nanoTime() - before) / 1e9;
        System.out.printf("broker and three services ready after %.1f s%n", seconds);
    }

    @AfterAll
    static void stop() {
        pipeline.close();
    }

    @Test
    @Order(1)
    void everyRecordOfTheSampleHasOneFate() {
        var published = pipeline.publish(DATASET, PipelineUnderTest.sample().resolve("conversations.jsonl"));
        assertEquals(published.sent(), published.fates().in());
        assertEquals(published.sent(), published.fates().accepted());
        var again = pipeline.publish(DATASET, PipelineUnderTest.sample().resolve("conversations.jsonl"));
        assertEquals(again.sent(), again.fates().duplicate());
    }

    @Test
    @Order(2)
    void conversationsBecomeAScoredAndPromotedAdapter() {
        var end = pipeline.run(pipeline.sampleJob("job-calm", DATASET, 60, ALIAS), progress -> { });
        assertEquals(JobPhase.SUCCEEDED, end.phase());

        var outcome = Outcome.await(pipeline.client(), end, Duration.ofMinutes(2), _ -> { });
        var paired = outcome.score().paired();
        System.out.printf("improvement of %s %.4f, interval [%.4f, %.4f], %d rows%n", paired.metric(), paired.delta(), paired.low(),
                paired.high(), paired.rows());
        assertTrue(paired.low() > 0, "the interval must exclude zero: " + paired);
        assertEquals(Decision.PROMOTE, outcome.promotion().decision());
        assertEquals(end.adapterId(), outcome.promotion().championId());
        assertEquals(2, outcome.score().samples().size());
    }

    @Test
    @Order(3)
    void aKilledTrainerIsReplacedAndTheAdapterIsTheSame() {
        var killed = new AtomicBoolean();
        var end = pipeline.run(pipeline.sampleJob("job-killed-trainer", DATASET, 30, null), progress -> {
            if (progress.step() >= 12 && killed.compareAndSet(false, true)) {
                pipeline.kill("trainer");
            }
        });
        var calm = pipeline.run(pipeline.sampleJob("job-calm-30", DATASET, 30, null), progress -> { });
        assertTrue(killed.get());
        assertEquals(JobPhase.SUCCEEDED, end.phase());
        assertTrue(end.attempt() >= 2, "a second attempt must have finished it, was " + end.attempt());
        assertEquals(weights(calm), weights(end), "a resumed run must end with the same bits");
        assertEquals(1, adaptersOf("job-killed-trainer"));
    }

    @Test
    @Order(4)
    void aBrokerKilledInMidJobComesBackAndTheJobEndsOnce() {
        var killed = new AtomicBoolean();
        var end = pipeline.run(pipeline.sampleJob("job-killed-broker", DATASET, 30, null), progress -> {
            if (progress.step() >= 8 && killed.compareAndSet(false, true)) {
                pipeline.kill("broker");
            }
        });
        assertTrue(killed.get());
        assertEquals(JobPhase.SUCCEEDED, end.phase());
        assertEquals(1, adaptersOf("job-killed-broker"));
    }

    private static String weights(JobState state) {
        return pipeline.client().adapters().get(state.adapterId()).orElseThrow().files().file("adapter_model.safetensors").sha256();
    }

    private static long adaptersOf(String jobId) {
        return pipeline.client().adapters().values().stream().filter(adapter -> adapter.jobId().equals(jobId)).count();
    }
}
