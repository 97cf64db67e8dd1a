package dev.sluice.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.cli.broker.BrokerLifetime;
import dev.sluice.cli.broker.EmbeddedBroker;
import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Progress;
import dev.sluice.contracts.job.Stage;
import dev.sluice.contracts.wire.Json;
import dev.sluice.trainer.fixture.GoldenCase;
import dev.sluice.trainer.fixture.JobRequest;
import dev.sluice.trainer.fixture.TestPipeline;
import dev.sluice.trainer.fixture.TrainerProcess;
import dev.sluice.trainer.store.Folders;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// What becomes of a job when its trainer or its broker dies, hangs or is told to go: the packaged service as processes.
class TrainerFaultsIT {

    private static final int STEPS = 240;
    private static final int SAVE_STEPS = 20;
    private static final GoldenCase GOLDEN = GoldenCase.named("float32-dense-layers");
    private static byte[] uninterrupted;

    @Test
    void killedThreeTimesTheJobEndsOnceWithTheSameBits() throws Exception {
        try (var pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "kill-nine")) {
            pipeline.queue(request("job"), GOLDEN.rows());
            for (int kill = 1; kill <= 3; kill++) {
                try (var victim = TrainerProcess.launch(pipeline, "victim-" + kill)) {
                    int reached = awaitStep(pipeline, kill, STEPS * kill / 4);
                    victim.kill();
                    System.out.printf("kill -9 at step %d of %d%n", reached, STEPS);
                }
            }
            try (var _ = TrainerProcess.launch(pipeline, "survivor")) {
                JobState end = pipeline.awaitEnd("job");
                assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
                assertEquals(4, end.attempt());
            }
            assertEndedOnce(pipeline, "job");
            for (long token = 2; token <= 4; token++) {
                int redone = lastStep(pipeline, token - 1) - firstStep(pipeline, token) + 1;
                System.out.printf("attempt %d trained %d steps again (checkpoints every %d)%n", token, redone, SAVE_STEPS);
                // one interval, and the checkpoint that was being written when the process died
                assertTrue(redone <= 2 * SAVE_STEPS, "trained " + redone + " steps again");
            }
        }
    }

    @Test
    void zombiePublishesNothing() throws Exception {
        try (var pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "zombie");
                var zombie = TrainerProcess.launch(pipeline, "zombie")) {
            pipeline.queue(request("job"), GOLDEN.rows());
            awaitStep(pipeline, 1, STEPS / 4);
            zombie.freeze();
            long frozen = System.nanoTime();
            try (var _ = TrainerProcess.launch(pipeline, "heir")) {
                awaitStep(pipeline, 2, 1);
                System.out.printf("frozen trainer: taken over %.1f s later (lease 2 s, start of the heir included)%n",
                        (System.nanoTime() - frozen) / 1e9);
                assertEquals(JobPhase.SUCCEEDED, pipeline.awaitEnd("job").phase());
            }
            zombie.thaw();
            zombie.await("notices that it was fenced", () -> zombie.metric("sluice_fenced_total") == 1);
            assertEndedOnce(pipeline, "job");
            assertTrue(pipeline.log().states("job").stream().noneMatch(state -> state.token() == 1 && state.step() > STEPS / 2));
            pipeline.queue(new JobRequest("next", GOLDEN), GOLDEN.rows());
            assertEquals(JobPhase.SUCCEEDED, pipeline.awaitEnd("next").phase(), "the thawed trainer lives on");
            System.out.println("zombie: commits accepted 0, fenced 1, its next job SUCCEEDED");
        }
    }

    @Test
    void sigtermSavesReleasesAndExitsWithZero() throws Exception {
        try (var pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "sigterm")) {
            pipeline.queue(request("job"), GOLDEN.rows());
            try (var leaver = TrainerProcess.launch(pipeline, "leaver")) {
                awaitStep(pipeline, 1, STEPS / 2);
                long asked = System.nanoTime();
                assertEquals(0, leaver.terminate(Duration.ofSeconds(20)));
                System.out.printf("SIGTERM: exit 0 after %.0f ms%n", (System.nanoTime() - asked) / 1e6);
            }
            JobState released = pipeline.awaitPhase("job", JobPhase.PREEMPTED);
            assertEquals(released.step(), released.checkpoints().getFirst().step(), "nothing is trained twice");
            try (var _ = TrainerProcess.launch(pipeline, "successor")) {
                JobState end = pipeline.awaitEnd("job");
                assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
                assertEquals(1, end.attempt());
            }
            assertEquals(released.step() + 1, firstStep(pipeline, 2));
            assertEndedOnce(pipeline, "job");
        }
    }

    @Test
    void brokerOutageLongerThanTheLeaseCostsNoTraining() throws Exception {
        Path folder = Files.createTempDirectory("sluice-outage");
        try (var broker = EmbeddedBroker.start(folder.resolve("broker"), 0, BrokerLifetime.WITH_PARENT)) {
            broker.awaitReady(Duration.ofSeconds(60));
            try (var pipeline = new TestPipeline(broker.bootstrapServers(), "outage");
                    var trainer = TrainerProcess.launch(pipeline, "patient")) {
                pipeline.queue(request("job").training("max_steps", 3 * STEPS), GOLDEN.rows());
                awaitStep(pipeline, 1, STEPS / 4);
                broker.kill();
                long down = System.nanoTime();
                double before = trainer.metric("sluice_train_step_seconds_count");
                trainer.await("trains on for more than a lease", () -> System.nanoTime() - down > Duration.ofSeconds(4).toNanos()
                        && trainer.metric("sluice_train_step_seconds_count") > before + 50);
                assertEquals(200, trainer.status("/q/health/live"));
                assertEquals(503, trainer.status("/q/health/ready"));
                double outage = (System.nanoTime() - down) / 1e9;
                double during = trainer.metric("sluice_train_step_seconds_count") - before;
                broker.restart();
                JobState end = pipeline.awaitEnd("job");
                assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
                assertEquals(1, end.attempt());
                assertTrue(trainer.isAlive());
                assertEndedOnce(pipeline, "job", 3 * STEPS);
                System.out.printf("broker away for %.1f s: %.0f steps went on meanwhile, attempts 1, token %d, steps trained twice 0%n",
                        outage, during, end.token());
            }
        } finally {
            Folders.delete(folder);
        }
    }

    private static JobRequest request(String jobId) {
        return new JobRequest(jobId, GOLDEN).training("max_steps", STEPS).training("shuffle", true).saveSteps(SAVE_STEPS)
                .with("limits", Map.of("max_attempts", 5));
    }

    /// The adapter of a run that nothing disturbed, made once, in this JVM.
    private static synchronized byte[] uninterrupted() throws Exception {
        if (uninterrupted == null) {
            try (var pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "calm");
                    var _ = new InProcessTrainer(pipeline, "calm")) {
                pipeline.queue(request("job"), GOLDEN.rows());
                pipeline.awaitEnd("job");
                uninterrupted = pipeline.file(pipeline.awaitAdapter("job"), "adapter_model.safetensors");
            }
        }
        return uninterrupted;
    }

    private static int awaitStep(TestPipeline pipeline, long token, int step) {
        return pipeline.log().await("token " + token + " reaches step " + step, () -> pipeline.log().progress("job").stream()
                .filter(progress -> progress.token() == token && progress.step() >= step).findFirst()).step();
    }

    private static int firstStep(TestPipeline pipeline, long token) {
        return trained(pipeline, token).getFirst().step();
    }

    private static int lastStep(TestPipeline pipeline, long token) {
        return trained(pipeline, token).getLast().step();
    }

    private static List<Progress> trained(TestPipeline pipeline, long token) {
        return pipeline.log().progress("job").stream()
                .filter(progress -> progress.token() == token && progress.stage() == Stage.TRAINING).toList();
    }

    private static void assertEndedOnce(TestPipeline pipeline, String jobId) throws Exception {
        assertEndedOnce(pipeline, jobId, STEPS);
        assertArrayEquals(uninterrupted(), pipeline.file(pipeline.awaitAdapter(jobId), "adapter_model.safetensors"));
    }

    /// One terminal state, one adapter, tokens that only grow, every step in the report once.
    private static void assertEndedOnce(TestPipeline pipeline, String jobId, int steps) throws IOException {
        List<JobState> states = pipeline.log().states(jobId);
        assertEquals(1, states.stream().filter(state -> state.phase().isTerminal()).count());
        for (int i = 1; i < states.size(); i++) {
            assertTrue(states.get(i).token() >= states.get(i - 1).token(), "tokens only grow");
            assertTrue(states.get(i - 1).phase().allows(states.get(i).phase()), states.get(i - 1).phase() + " to " + states.get(i).phase());
        }
        AdapterPublished adapter = pipeline.awaitAdapter(jobId);
        assertEquals(List.of(adapter), pipeline.log().adapters(jobId));
        JsonNode report = Json.readTree(pipeline.file(adapter, "run.json")).get("steps");
        assertEquals(steps, report.size());
        for (int i = 0; i < steps; i++) {
            assertEquals(i + 1, report.get(i).get("step").asInt());
        }
    }
}
