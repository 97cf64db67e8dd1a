package dev.sluice.trainer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.cli.broker.SharedBroker;
import dev.sluice.contracts.adapter.AdapterPublished;
import dev.sluice.contracts.job.AdapterFormat;
import dev.sluice.contracts.job.CheckpointRef;
import dev.sluice.contracts.job.ControlOperation;
import dev.sluice.contracts.job.JobCode;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import dev.sluice.contracts.job.Stage;
import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.wire.Json;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.trainer.fixture.GoldenCase;
import dev.sluice.trainer.fixture.JobRequest;
import dev.sluice.trainer.fixture.TestPipeline;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;

/// Whole jobs of a tiny model through a real broker, in this JVM.
class TrainerTest {

    private final GoldenCase golden = GoldenCase.named("float32-dense-layers");
    private TestPipeline pipeline;

    @BeforeEach
    void open(TestInfo test) throws IOException {
        String name = test.getTestMethod().orElseThrow().getName().toLowerCase(Locale.ROOT);
        pipeline = new TestPipeline(SharedBroker.get().bootstrapServers(), "trainer-" + name);
    }

    @AfterEach
    void close() throws IOException {
        pipeline.close();
    }

    @Test
    void jobTrainsToTheAdapterThatPeftTrains() throws Exception {
        try (var _ = new InProcessTrainer(pipeline, "a")) {
            pipeline.queue(new JobRequest("golden", golden).with("export_rows", true), golden.rows());
            JobState end = pipeline.awaitEnd("golden");
            assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
            assertEquals(List.of(JobPhase.QUEUED, JobPhase.RUNNING, JobPhase.PUBLISHING, JobPhase.SUCCEEDED), pipeline.phases("golden"));
            AdapterPublished adapter = onlyAdapter("golden");
            assertEquals(end.adapterId(), adapter.adapterId());
            assertEquals(1, adapter.token());
            JsonNode run = Json.readTree(pipeline.file(adapter, "run.json"));
            double worst = 0;
            for (int step = 0; step < golden.losses().size(); step++) {
                worst = Math.max(worst, relative(golden.losses().get(step), run.at("/steps/" + step + "/loss").asDouble()));
                worst = Math.max(worst, relative(golden.gradNorms().get(step), run.at("/steps/" + step + "/grad_norm").asDouble()));
            }
            assertTrue(worst < 1e-4, "worst relative error of losses and gradient norms: " + worst);
            assertEquals("cpu", run.at("/backend/chosen").asText());
            assertRowsAsTrained(new String(pipeline.file(adapter, "rows.jsonl"), StandardCharsets.UTF_8).lines().toList());
            assertTrue(pipeline.log().progress("golden").stream().anyMatch(progress -> progress.stage() == Stage.TRAINING));
            System.out.printf("golden job: %d steps, worst relative error %.1e%n", golden.losses().size(), worst);
        }
    }

    @Test
    void formatThatNobodyChoseIsTheOneThatPeftLoads() throws Exception {
        try (var _ = new InProcessTrainer(pipeline, "a")) {
            for (var job : Map.of("float32-dense-layers", AdapterFormat.PER_EXPERT, "gpt-oss-bfloat16", AdapterFormat.PEFT_3D).entrySet()) {
                JobState end = run(job.getKey(), job.getKey(), null);
                assertEquals(job.getValue(), onlyAdapter(job.getKey()).format());
                assertNull(end.reason());
                var tensors = new String(pipeline.file(onlyAdapter(job.getKey()), "adapter_model.safetensors"), StandardCharsets.ISO_8859_1);
                assertEquals(job.getValue() == AdapterFormat.PER_EXPERT, tensors.contains("mlp.experts.0.gate_proj"));
            }
        }
    }

    @Test
    void chosenFormatIsWrittenAndWhatPeftWillNotLoadIsTold() throws Exception {
        try (var _ = new InProcessTrainer(pipeline, "a")) {
            JobState end = run("chosen", "gpt-oss-bfloat16", "per-expert");
            assertEquals(AdapterFormat.PER_EXPERT, onlyAdapter("chosen").format());
            assertEquals("adapter format per-expert: peft 0.21 over transformers 5 passes over single experts of gpt_oss; it loads peft-3d",
                    end.reason());
        }
    }

    private JobState run(String job, String model, String format) throws Exception {
        GoldenCase files = GoldenCase.named(model);
        pipeline.queue(new JobRequest(job, files).training("max_steps", 2).with("adapter_format", format), files.rows());
        JobState end = pipeline.awaitEnd(job);
        assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
        return end;
    }

    @Test
    void cancelActsWithinOneStep() throws Exception {
        try (var _ = new InProcessTrainer(pipeline, "a")) {
            pipeline.queue(new JobRequest("long", golden).training("max_steps", 100_000), golden.rows());
            pipeline.awaitStep("long", 3);
            long asked = System.nanoTime();
            pipeline.control("long", ControlOperation.CANCEL);
            JobState end = pipeline.awaitEnd("long");
            assertEquals(JobPhase.CANCELLED, end.phase());
            assertEquals(List.of(), pipeline.log().adapters("long"));
            System.out.printf("cancel: %.0f ms to CANCELLED%n", (System.nanoTime() - asked) / 1e6);
        }
    }

    @Test
    void checkpointIsSavedOnRequestAndPreemptionGivesTheJobBack() throws Exception {
        try (var _ = new InProcessTrainer(pipeline, "a")) {
            pipeline.queue(new JobRequest("asked", golden).training("max_steps", 2_000).saveSteps(100_000), golden.rows());
            pipeline.awaitStep("asked", 3);
            pipeline.control("asked", ControlOperation.CHECKPOINT);
            JobState saved = pipeline.log().await("a checkpoint", () -> pipeline.log().states("asked").stream()
                    .filter(state -> !state.checkpoints().isEmpty()).findFirst());
            assertEquals(JobPhase.RUNNING, saved.phase());
            pipeline.control("asked", ControlOperation.PREEMPT);
            JobState released = pipeline.awaitPhase("asked", JobPhase.PREEMPTED);
            assertTrue(released.step() > saved.step(), "it went on after the checkpoint");
            JobState again = pipeline.log().await("the next claim", () -> pipeline.log().states("asked").stream()
                    .filter(state -> state.token() == 2).findFirst());
            assertEquals(1, again.attempt());
            pipeline.control("asked", ControlOperation.CANCEL);
            assertEquals(List.of(), pipeline.awaitEnd("asked").checkpoints());
        }
    }

    @Test
    void resumedRunEndsWithTheSameBits() throws Exception {
        byte[] uninterrupted = adapterOf("whole", OptimizerChoice.AUTO);
        preempted("halved", OptimizerChoice.AUTO);
        try (var _ = new InProcessTrainer(pipeline, "b")) {
            JobState end = pipeline.awaitEnd("halved");
            assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
            assertEquals(1, end.attempt(), "a preemption is no attempt");
            assertEquals(2, end.token());
        }
        AdapterPublished adapter = onlyAdapter("halved");
        assertArrayEquals(uninterrupted, pipeline.file(adapter, "adapter_model.safetensors"));
        assertEveryStepOnce(adapter);
    }

    @Test
    void resumedRunKeepsToTheOptimizerStateThatItBeganWith() throws Exception {
        byte[] uninterrupted = adapterOf("whole", OptimizerChoice.LEAN);
        preempted("halved", OptimizerChoice.LEAN);
        try (var _ = new InProcessTrainer(pipeline, "b", OptimizerChoice.EXACT)) {
            JobState end = pipeline.awaitEnd("halved");
            assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
        }
        assertArrayEquals(uninterrupted, pipeline.file(onlyAdapter("halved"), "adapter_model.safetensors"));
        assertFalse(Arrays.equals(uninterrupted, adapterOf("exact", OptimizerChoice.EXACT)), "lean state rounds");
    }

    @Test
    void corruptCheckpointFallsBackToTheOneBefore() throws Exception {
        byte[] uninterrupted = adapterOf("whole", OptimizerChoice.AUTO);
        JobState released = preempted("damaged", OptimizerChoice.AUTO);
        assertEquals(2, released.checkpoints().size());
        damage(released.checkpoints().getFirst());
        try (var _ = new InProcessTrainer(pipeline, "b")) {
            JobState end = pipeline.awaitEnd("damaged");
            assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
            assertTrue(end.reason().contains("passed over") && end.reason().contains("resumed from step "
                    + released.checkpoints().getLast().step()), end.reason());
        }
        AdapterPublished adapter = onlyAdapter("damaged");
        assertArrayEquals(uninterrupted, pipeline.file(adapter, "adapter_model.safetensors"));
        assertEveryStepOnce(adapter);
    }

    @Test
    void failuresAreCodedAndTheNextJobRuns() throws Exception {
        Path unknown = copyOfModel("unknown", config -> config.replace("\"qwen3_moe\"", "\"marvin\""));
        Path missing = golden.model().resolveSibling("nowhere");
        try (var _ = new InProcessTrainer(pipeline, "a")) {
            pipeline.queue(new JobRequest("nan", golden).training("learning_rate", 1e38).training("max_steps", 50), golden.rows());
            pipeline.queue(new JobRequest("marvin", golden).model(unknown), golden.rows());
            pipeline.queue(new JobRequest("nowhere", golden).model(missing), golden.rows());
            pipeline.queue(new JobRequest("wrong-hash", golden), golden.rows(), "f".repeat(64));
            pipeline.queue(new JobRequest("no-backend", golden).with("backend", "hopper"), golden.rows());
            pipeline.queue(new JobRequest("fine", golden), golden.rows());
            assertFailed("nan", JobCode.NAN_LOSS);
            assertFailed("marvin", JobCode.MODEL_UNSUPPORTED);
            assertFailed("nowhere", JobCode.MODEL_UNSUPPORTED);
            assertFailed("wrong-hash", JobCode.HASH_MISMATCH);
            assertFailed("no-backend", JobCode.BACKEND_UNAVAILABLE);
            assertEquals(JobPhase.SUCCEEDED, pipeline.awaitEnd("fine").phase());
        }
    }

    @Test
    void twoTrainersShareTheQueueAndNoJobHasTwoOwners() throws Exception {
        int count = 12;
        long began = System.nanoTime();
        try (var _ = new InProcessTrainer(pipeline, "a"); var _ = new InProcessTrainer(pipeline, "b")) {
            for (int job = 0; job < count; job++) {
                pipeline.queue(new JobRequest("job-" + job, golden).training("max_steps", 2), golden.rows());
            }
            for (int job = 0; job < count; job++) {
                assertEquals(JobPhase.SUCCEEDED, pipeline.awaitEnd("job-" + job).phase());
                onlyAdapter("job-" + job);
                List<JobState> states = pipeline.log().states("job-" + job);
                assertEquals(states.stream().sorted(Comparator.comparingLong(JobState::token)).toList(), states, "tokens only grow");
                assertEquals(1, states.stream().filter(state -> state.phase().isTerminal()).count());
            }
        }
        System.out.printf("two trainers: %d jobs in %.1f s%n", count, (System.nanoTime() - began) / 1e9);
    }

    private JobRequest request(String jobId) {
        return new JobRequest(jobId, golden).training("max_steps", 60).training("shuffle", true).saveSteps(7);
    }

    private byte[] adapterOf(String jobId, OptimizerChoice optimizer) throws InterruptedException {
        try (var _ = new InProcessTrainer(pipeline, "whole", optimizer)) {
            pipeline.queue(request(jobId), golden.rows());
            JobState end = pipeline.awaitEnd(jobId);
            assertEquals(JobPhase.SUCCEEDED, end.phase(), end.reason());
            return pipeline.file(onlyAdapter(jobId), "adapter_model.safetensors");
        }
    }

    /// A job that was stopped in its middle, with two checkpoints.
    private JobState preempted(String jobId, OptimizerChoice optimizer) throws InterruptedException {
        try (var _ = new InProcessTrainer(pipeline, "a", optimizer)) {
            pipeline.queue(request(jobId), golden.rows());
            pipeline.awaitStep(jobId, 16);
        }
        JobState released = pipeline.awaitPhase(jobId, JobPhase.PREEMPTED);
        assertTrue(released.step() >= 16 && released.step() < 60, "stopped at step " + released.step());
        return released;
    }

    private void damage(CheckpointRef checkpoint) throws IOException {
        ArtifactRef largest = checkpoint.files().files().values().stream().max(Comparator.comparingLong(ArtifactRef::bytes)).orElseThrow();
        Path file = Path.of(largest.uri());
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length / 2] ^= 1;
        Files.write(file, bytes);
    }

    private void assertFailed(String jobId, JobCode code) {
        JobState end = pipeline.awaitEnd(jobId);
        assertEquals(JobPhase.FAILED, end.phase());
        assertEquals(code, end.code(), end.reason());
        assertEquals(List.of(), pipeline.log().adapters(jobId));
        System.out.printf("%s: %s, %s%n", jobId, end.code(), end.reason());
    }

    private void assertEveryStepOnce(AdapterPublished adapter) throws IOException {
        JsonNode steps = Json.readTree(pipeline.file(adapter, "run.json")).get("steps");
        assertEquals(60, steps.size());
        for (int i = 0; i < 60; i++) {
            assertEquals(i + 1, steps.get(i).get("step").asInt());
        }
    }

    private void assertRowsAsTrained(List<String> lines) throws IOException {
        var rows = golden.rows();
        assertEquals(rows.size(), lines.size());
        for (int i = 0; i < rows.size(); i++) {
            JsonNode line = Json.readTree(lines.get(i).getBytes(StandardCharsets.UTF_8));
            assertArrayEquals(rows.get(i).tokenIds(), Json.mapper().treeToValue(line.get("ids"), int[].class));
            assertEquals(golden.expected().get("train").get(i).get("mask"), line.get("mask"));
        }
    }

    private AdapterPublished onlyAdapter(String jobId) {
        AdapterPublished adapter = pipeline.awaitAdapter(jobId);
        assertEquals(List.of(adapter), pipeline.log().adapters(jobId));
        return adapter;
    }

    private Path copyOfModel(String name, UnaryOperator<String> change) throws IOException {
        Path folder = Files.createDirectories(pipeline.folder().resolve(name));
        Files.copy(golden.model().resolve("model.safetensors"), folder.resolve("model.safetensors"));
        Files.writeString(folder.resolve("config.json"), change.apply(Files.readString(golden.model().resolve("config.json"))));
        return folder;
    }

    private static double relative(double expected, double actual) {
        return Math.abs(expected - actual) / Math.abs(expected);
    }
}
