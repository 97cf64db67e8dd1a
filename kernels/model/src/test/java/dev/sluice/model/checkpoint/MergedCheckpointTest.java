package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.OracleCase;
import dev.sluice.model.SyntheticModel;
import dev.sluice.model.Tensors;
import dev.sluice.model.TokenRow;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.evaluation.Evaluation;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.peft.AdapterExport;
import dev.sluice.model.peft.AdapterFormat;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.peft.AdapterWriter;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.ElementType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class MergedCheckpointTest {
    private static final long SMALL_SHARD = 20_000;
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

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void mergedModelGivesTheLogitsOfBaseAndAdapter(Path golden) {
        var oracle = OracleCase.read(golden);
        Path merged = folder.resolve("merged");
        MergedCheckpoint.write(oracle.model(), oracle.adapterInit(), merged, DType.FLOAT32, SMALL_SHARD);
        try (var base = BaseModel.load(oracle.model(), backend); var whole = BaseModel.load(merged, backend)) {
            float[] split = logits(base, AdapterReader.read(base, oracle.adapterInit()), oracle.train().getFirst());
            assertEquals(0, Tensors.relativeError(split, logits(whole, null, oracle.train().getFirst())), 1e-5);
        }
        assertEquals(names(oracle.model()).stream()
                .filter(name -> !name.endsWith("_scale_inv") && !name.endsWith("_scales") && StoredNf4.SUFFIXES.stream().noneMatch(name::endsWith))
                .map(name -> name.replaceAll("_blocks$", "")).collect(Collectors.toSet()), names(merged));
    }

    @Test
    void weightsAreRoundedOnce() {
        var oracle = Golden.read(Golden.ELEVEN_EXPERTS);
        MergedCheckpoint.write(oracle.model(), oracle.adapterInit(), folder.resolve("exact"), DType.FLOAT32);
        MergedCheckpoint.write(oracle.model(), oracle.adapterInit(), folder.resolve("rounded"), null);
        var exact = Tensors.read(folder.resolve("exact/model.safetensors"));
        var rounded = Tensors.read(folder.resolve("rounded/model.safetensors"));
        assertEquals(exact.keySet(), rounded.keySet());
        exact.forEach((name, numbers) -> {
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] = Float.intBitsToFloat(Floats.bfloat16(numbers[i]) << 16);
            }
            assertArrayEquals(numbers, rounded.get(name), name);
        });
    }

    @ParameterizedTest
    @MethodSource("packed")
    void packedWeightsBecomeBfloat16AndTheConfigurationSaysSo(String golden) throws IOException {
        var oracle = Golden.read(golden);
        Path merged = folder.resolve("merged");
        MergedCheckpoint.write(oracle.model(), oracle.adapterInit(), merged, null);
        String config = Files.readString(merged.resolve("config.json"));
        assertFalse(config.contains("quantization_config"), config);
        assertTrue(config.contains("\"dtype\" : \"bfloat16\""), config);
        try (var checkpoint = Checkpoint.open(merged)) {
            checkpoint.names().stream().map(name -> checkpoint.find(name).entry().type())
                    .forEach(type -> assertTrue(type == ElementType.BF16 || type == ElementType.F32, type.name()));
        }
    }

    static List<String> packed() {
        return List.of("gpt-oss-mxfp4", "deepseek-v3-fp8", "qwen3-nf4");
    }

    @Test
    void stacksThatTransformersSavedAreWrittenAsSingleExperts() {
        var single = SyntheticModel.sparse(3, 2, 16);
        var fused = SyntheticModel.sparse(3, 2, 16);
        fused.fuse("model.layers.0.mlp.experts.");
        fused.fuse("model.layers.1.mlp.experts.");
        Path one = single.write(folder.resolve("single"));
        Path other = fused.write(folder.resolve("fused"));
        Path adapter = adapter(one, List.of("q_proj"), List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"));
        MergedCheckpoint.write(one, adapter, folder.resolve("a"), null);
        MergedCheckpoint.write(other, adapter, folder.resolve("b"), null);
        var expected = Tensors.read(folder.resolve("a/model.safetensors"));
        var actual = Tensors.read(folder.resolve("b/model.safetensors"));
        assertEquals(expected.keySet(), actual.keySet());
        expected.forEach((name, numbers) -> assertArrayEquals(numbers, actual.get(name), name));
    }

    @Test
    void otherFilesComeAlongButNoOtherWeights() throws IOException {
        Path base = SyntheticModel.sparse(3, 2, 16).write(folder.resolve("base"));
        Files.writeString(base.resolve("tokenizer.json"), "{}");
        Files.writeString(base.resolve("pytorch_model.bin"), "old");
        MergedCheckpoint.write(base, adapter(base, List.of("q_proj"), List.of()), folder.resolve("merged"), null);
        try (var files = Files.list(folder.resolve("merged"))) {
            assertEquals(Set.of("config.json", "model.safetensors", "tokenizer.json"),
                    files.map(file -> file.getFileName().toString()).collect(Collectors.toSet()));
        }
    }

    @Test
    void aFolderThatIsThereIsLeftAlone() {
        Path base = SyntheticModel.sparse(3, 2, 16).write(folder.resolve("base"));
        Path adapter = adapter(base, List.of("q_proj"), List.of());
        var refusal = assertThrows(IllegalArgumentException.class, () -> MergedCheckpoint.write(base, adapter, base, null));
        assertTrue(refusal.getMessage().contains("is there already"), refusal.getMessage());
    }

    @Test
    void anAdapterOfATiedHeadIsRefused() {
        Path base = Golden.folder("gemma3-bfloat16").resolve("model");
        Path adapter = adapter(base, List.of("q_proj", "lm_head"), List.of());
        var refusal = assertThrows(UnsupportedModelException.class,
                () -> MergedCheckpoint.write(base, adapter, folder.resolve("merged"), null));
        assertTrue(refusal.getMessage().contains("lm_head, which is the embedding table"), refusal.getMessage());
        assertFalse(Files.exists(folder.resolve("merged")));
    }

    private Path adapter(Path base, List<String> modules, List<String> parameters) {
        Path to = folder.resolve("adapter");
        try (var model = BaseModel.load(base, backend)) {
            Adapter fresh = Adapter.create(model, LoraSettings.of(2, 4, modules, parameters), 1);
            float[] numbers = new float[Math.toIntExact(fresh.layout().size())];
            var random = new Random(4);
            fresh.layout().sites().forEach(site -> {
                for (long i = site.offsetA(); i < site.offsetB() + site.elementsB(); i++) {
                    numbers[(int) i] = 0.1f * (float) random.nextGaussian();
                }
            });
            AdapterWriter.write(fresh.withValues(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, numbers)), to,
                    new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
        }
        return to;
    }

    private static float[] logits(BaseModel model, Adapter adapter, TokenRow row) {
        try (var evaluation = new Evaluation(model, adapter)) {
            return Tensors.flat(evaluation.logits(row));
        }
    }

    private static Set<String> names(Path model) {
        try (var checkpoint = Checkpoint.open(model)) {
            return Set.copyOf(checkpoint.names());
        }
    }
}
