package dev.sluice.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Weight;
import dev.sluice.model.decoder.DecoderWeights.SparseWeights;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.evaluation.Evaluation;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.safetensors.SafetensorsWriter;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.TrainingSettings;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class BaseModelTest {
    private static final TokenRow ROW = TokenRow.of(new int[] {1, 2, 3, 4}, new boolean[4]);
    private static Backend backend;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    @Test
    void missingAndMisshapenTensorsAreNamed() {
        var model = SyntheticModel.sparse(3, 2, 16).without("model.norm.weight")
                .without("model.layers.1.mlp.experts.2.up_proj.weight").tensor("lm_head.weight", new float[60], 60, 1);
        var refusal = assertThrows(InvalidFileException.class, () -> BaseModel.load(model.write(folder), backend));
        assertTrue(refusal.getMessage().contains("tensor model.norm.weight [32] is missing"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("tensor lm_head.weight F32 [60, 1] should have shape [60, 32]"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("model.layers.1.mlp.experts.2.up_proj.weight [16, 32] is missing"), refusal.getMessage());
    }

    @Test
    void randomModelNeedsNoWeightFilesAndTrains() throws IOException {
        Path model = SyntheticModel.sparse(3, 2, 16).write(folder);
        Files.delete(model.resolve("model.safetensors"));
        var row = TokenRow.of(new int[] {1, 2, 3, 4}, new boolean[] {false, true, true, true});
        var lora = LoraSettings.of(2, 2, List.of("q_proj"), List.of("mlp.experts.gate_up_proj"));
        try (var base = BaseModel.random(model, backend);
                var training = new LoraTraining(base, Adapter.create(base, lora, 1), TrainingSettings.of(1e-2, Schedule.CONSTANT, 0, 2))) {
            double first = training.step(List.of(row)).loss();
            assertEquals(Math.log(base.config().vocabulary()), first, 0.3);
            assertTrue(training.step(List.of(row)).loss() < first);
        }
    }

    @Test
    void eightBitWeightsWithoutTheirScalesAreRefused() throws IOException {
        Path model = copy(Golden.folder(Golden.FP8).resolve("model"));
        Path file = model.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        String name = "model.layers.0.self_attn.q_proj.weight_scale_inv";
        int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(name);
        bytes[at + name.length() - 1] = 'x';
        Files.write(file, bytes);
        var refusal = assertThrows(InvalidFileException.class, () -> BaseModel.load(model, backend));
        assertTrue(refusal.getMessage().contains(name + " [2, 2] is missing"), refusal.getMessage());
    }

    @Test
    void packedExpertsWithoutTheirScalesAreRefused() throws IOException {
        Path model = copy(Golden.folder("gpt-oss-mxfp4").resolve("model"));
        Path file = model.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        String name = "model.layers.1.mlp.experts.down_proj_scales";
        int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(name);
        bytes[at + name.length() - 1] = 'x';
        Files.write(file, bytes);
        var refusal = assertThrows(InvalidFileException.class, () -> BaseModel.load(model, backend));
        assertTrue(refusal.getMessage().contains(name + " [3, 32, 1] is missing"), refusal.getMessage());
    }

    @Test
    void truncatedCheckpointIsRefused() throws IOException {
        Path file = SyntheticModel.sparse(3, 2, 16).write(folder).resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
        var refusal = assertThrows(InvalidFileException.class, () -> BaseModel.load(folder, backend));
        assertTrue(refusal.getMessage().contains("model.safetensors: ") && refusal.getMessage().contains("truncated"), refusal.getMessage());
    }

    @Test
    void shardsAndFusedExpertsMeanTheSameAsOneFileOfSingleOnes() throws IOException {
        var single = SyntheticModel.sparse(3, 2, 16);
        float[][] expected = logits(single.write(folder.resolve("single")));
        assertArrayEquals(expected, logits(sharded(single, folder.resolve("sharded"))));
        var fused = SyntheticModel.sparse(3, 2, 16);
        for (int layer = 0; layer < 2; layer++) {
            fused.fuse("model.layers." + layer + ".mlp.experts.");
        }
        assertArrayEquals(expected, logits(fused.write(folder.resolve("fused"))));
    }

    private static Path sharded(SyntheticModel model, Path to) throws IOException {
        model.write(to);
        Files.delete(to.resolve("model.safetensors"));
        var contents = model.contents();
        int half = contents.size() / 2;
        SafetensorsWriter.write(to.resolve("a.safetensors"), Map.of(), contents.subList(0, half));
        SafetensorsWriter.write(to.resolve("b.safetensors"), Map.of(), contents.subList(half, contents.size()));
        var map = new StringBuilder();
        for (int i = 0; i < contents.size(); i++) {
            map.append(i == 0 ? "" : ",").append('"').append(contents.get(i).name()).append("\":\"")
                    .append(i < half ? "a" : "b").append(".safetensors\"");
        }
        Files.writeString(to.resolve("model.safetensors.index.json"), "{\"metadata\":{},\"weight_map\":{" + map + "}}");
        return to;
    }

    private static float[][] logits(Path path) {
        try (var model = BaseModel.load(path, backend); var evaluation = new Evaluation(model, null)) {
            return evaluation.logits(ROW);
        }
    }

    @Test
    void documentsBeyondTheIndexOfSparseAttentionAreRefused() {
        int[] ids = new int[201];
        boolean[] mask = new boolean[201];
        try (var model = BaseModel.load(Golden.folder("deepseek-v32-bfloat16").resolve("model"), backend);
                var evaluation = new Evaluation(model, null)) {
            evaluation.score(TokenRow.of(Arrays.copyOf(ids, 200), Arrays.copyOf(mask, 200)));
            var refusal = assertThrows(UnsupportedModelException.class, () -> evaluation.score(TokenRow.of(ids, mask)));
            assertTrue(refusal.getMessage().contains("a document of 201 tokens is longer than the 200 keys"), refusal.getMessage());
        }
    }

    @Test
    void planKnowsTheWeightsAndRefusesWithNumbers() {
        Path path = SyntheticModel.sparse(4, 2, 16).write(folder);
        var settings = LoraSettings.of(2, 4, List.of("q_proj"), List.of("mlp.experts.down_proj"));
        var plan = MemoryPlan.of(path, backend, Quantization.NONE, settings);
        try (var model = BaseModel.load(path, backend)) {
            assertEquals(2 * ((32 + 32) * 2 + 4 * (16 + 32) * 2), plan.adapterParameters());
            assertEquals(plan.weightBytes(), 4L * (60 * 32 * 2 + 32 + 2 * (64 + 16 + 2 * 1024 + 2 * 512 + 128 + 4 * 3 * 512)));
            assertEquals("qwen3_moe", model.config().modelType());
            long padding = model.bytes() - plan.weightBytes();
            assertTrue(padding >= 0 && padding < 64 * 40, "padding " + padding);
        }
        long least = plan.totalBytes(1000, plan.uniform(ActivationLevel.INPUT));
        assertEquals(plan.uniform(ActivationLevel.INPUT), plan.choose(1000, MemoryWish.AUTO, new MemoryStatus(1L << 30, least)).policy());
        var refusal = assertThrows(OutOfMemoryException.class,
                () -> plan.choose(1000, MemoryWish.AUTO, new MemoryStatus(1L << 30, least - 1)));
        assertEquals(least, refusal.wantedBytes());
        assertTrue(refusal.getMessage().contains("base weights 0.1 MiB"), refusal.getMessage());
    }

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void planKnowsWhatEveryFamilysWeightsTake(Path golden) {
        Path path = OracleCase.read(golden).model();
        var settings = LoraSettings.of(2, 4, List.of("q_proj", "q_b_proj"), List.of());
        var plan = MemoryPlan.of(path, backend, Quantization.NONE, settings);
        try (var model = BaseModel.load(path, backend)) {
            long padding = model.bytes() - plan.weightBytes();
            assertTrue(padding >= 0 && padding < 64 * 300, model.bytes() + " bytes held, " + plan.weightBytes() + " planned");
        }
    }

    @Test
    void packedWeightsStayPacked() {
        for (var packed : Map.of("gpt-oss-mxfp4", Packing.MXFP4, "deepseek-v3-fp8", Packing.FP8).entrySet()) {
            Path path = Golden.folder(packed.getKey()).resolve("model");
            try (var model = BaseModel.load(path, backend)) {
                var sparse = (SparseWeights) model.weights().layers().getLast().feedForward();
                assertEquals(packed.getValue(), assertInstanceOf(Weight.Packed.class, sparse.experts().gateUp()).packing());
                assertEquals(packed.getValue(), assertInstanceOf(Weight.Packed.class, sparse.experts().down()).packing());
            }
        }
    }

    private Path copy(Path from) throws IOException {
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(from.resolve(name), folder.resolve(name));
        }
        return folder;
    }
}
