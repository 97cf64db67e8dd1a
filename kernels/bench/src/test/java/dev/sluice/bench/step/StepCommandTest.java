package dev.sluice.bench.step;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.bench.CommandLines;
import dev.sluice.model.config.Families;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StepCommandTest {
    private static final String CONFIG = """
            {"model_type": "qwen3_moe", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "moe_intermediate_size": 16,
             "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "num_experts": 6,
             "num_experts_per_tok": 2, "norm_topk_prob": true}
            """;

    private static final String GPT_OSS = """
            {"model_type": "gpt_oss", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2,
             "sliding_window": 16, "rope_scaling": {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096}}
            """;
    private static final String GLM = """
            {"model_type": "glm4_moe_lite", "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "moe_intermediate_size": 16,
             "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "n_shared_experts": 1, "n_routed_experts": 4,
             "num_experts_per_tok": 2, "routed_scaling_factor": 1.8, "kv_lora_rank": 16, "q_lora_rank": 24, "qk_rope_head_dim": 8,
             "v_head_dim": 16, "qk_nope_head_dim": 8, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "norm_topk_prob": true}
            """;

    @TempDir
    Path folder;
    private Path config;

    @BeforeEach
    void configuration() throws IOException {
        config = Files.writeString(folder.resolve("tiny.json"), CONFIG);
    }

    private CommandLines.Result step(String... more) {
        return CommandLines.run(Stream.concat(Stream.of("step", "--model", config.toString(), "--backend", "cpu",
                "--steps", "2", "--warmup", "1", "--tflops", "0.1", "--terabytes", "0.01"), Stream.of(more)).toArray(String[]::new));
    }

    @Test
    void quantizedWeightsTakeLessMemoryAndAreNamed() throws IOException {
        config = Files.writeString(folder.resolve("wide.json"), CONFIG.replace("\"hidden_size\": 32", "\"hidden_size\": 256")
                .replace("\"moe_intermediate_size\": 16", "\"moe_intermediate_size\": 256"));
        var plain = new ObjectMapper().readTree(step("--contexts", "16", "--json").out());
        var result = step("--contexts", "16", "--json", "--quantize", "nf4");
        assertEquals(0, result.exitCode(), result.err());
        var quantized = new ObjectMapper().readTree(result.out());
        assertEquals("random, NF4", quantized.get("weights").asText());
        assertTrue(quantized.get("peak_gib").asDouble() < plain.get("peak_gib").asDouble(), plain + " and " + quantized);
        assertEquals(Math.log(300), quantized.get("first_loss").asDouble(), 0.5);
    }

    @Test
    void everyContextIsOneObjectWithWhatItWasMeasuredOn() throws IOException {
        var result = step("--contexts", "64,96", "--documents", "4", "--layers", "2", "--rank", "4", "--json");
        assertEquals(0, result.exitCode(), result.err());
        List<String> lines = result.out().lines().toList();
        assertEquals(2, lines.size());
        JsonNode json = new ObjectMapper().readTree(lines.getLast());
        assertEquals(96, json.get("ctx").asInt());
        assertEquals(2, json.get("layers").asInt());
        assertEquals("random", json.get("weights").asText());
        assertEquals("cpu", json.get("backend").asText());
        assertTrue(json.get("why").asText().contains("asked for by name"));
        assertEquals(Math.log(300), json.get("first_loss").asDouble(), 0.2);
        assertNotEquals(json.get("first_loss"), json.get("loss"));
        for (String positive : List.of("ms", "min_ms", "max_ms", "tok_s", "cpu_ms", "peak_gib", "host_gib", "floor_ms", "floor_share")) {
            assertTrue(json.get(positive).asDouble() > 0 || positive.equals("cpu_ms"), positive + " in " + json);
        }
        assertTrue(json.get("min_ms").asDouble() <= json.get("ms").asDouble() && json.get("ms").asDouble() <= json.get("max_ms").asDouble());
        assertEquals(json.get("floor_ms").asDouble() / json.get("ms").asDouble(), json.get("floor_share").asDouble(), 1e-3);
        assertEquals(Runtime.getRuntime().availableProcessors(), json.at("/machine/processors").asInt());
        assertEquals(0.1, json.at("/ceiling/tflops").asDouble());
        assertTrue(json.get("device_gib").isNull(), "there is no device");
    }

    @Test
    void tableNamesMachineBackendModelAndCeilings() {
        var result = step("--contexts", "32");
        assertEquals(0, result.exitCode(), result.err());
        List<String> lines = result.out().lines().toList();
        assertEquals(6, lines.size(), result.out());
        for (int i = 0; i < 4; i++) {
            assertTrue(lines.get(i).startsWith(List.of("machine: ", "backend: cpu", "model: ", "ceilings: 0.100 TFLOP/s").get(i)), lines.get(i));
        }
    }

    @Test
    void contextThatExceedsTheBudgetIsRefusedWithTheNumbersAndOthersAreMeasured() throws IOException {
        var result = step("--contexts", "100000,32", "--budget-gib", "0.1", "--json");
        assertEquals(1, result.exitCode());
        List<String> lines = result.out().lines().toList();
        assertTrue(new ObjectMapper().readTree(lines.getFirst()).get("refused").asText().contains("base weights"), lines.getFirst());
        assertTrue(new ObjectMapper().readTree(lines.getLast()).get("ms").asDouble() > 0, lines.getLast());
    }

    @Test
    void recomputingLayersGivesTheSameLosses() throws IOException {
        JsonNode kept = new ObjectMapper().readTree(step("--contexts", "64", "--policy", "all", "--json").out());
        JsonNode again = new ObjectMapper().readTree(step("--contexts", "64", "--policy", "input", "--json").out());
        assertEquals(kept.get("loss"), again.get("loss"));
        assertTrue(kept.get("peak_gib").asDouble() > again.get("peak_gib").asDouble());
        assertEquals("3 layers keep all", kept.get("activations").asText());
        assertEquals("input", again.get("policy").asText());
        assertEquals(again.get("peak_gib").asDouble(), again.get("planned_gib").asDouble(), 0.1 * again.get("peak_gib").asDouble());
    }

    @Test
    void leanStateTakesFewerBytesAndTrainsAlike() throws IOException {
        JsonNode exact = new ObjectMapper().readTree(step("--contexts", "64", "--optimizer-state", "exact", "--json").out());
        JsonNode lean = new ObjectMapper().readTree(step("--contexts", "64", "--optimizer-state", "lean", "--json").out());
        assertEquals("exact", exact.get("optimizer_state").asText());
        assertEquals("lean", lean.get("optimizer_state").asText());
        long bytes = exact.get("adapter_bytes").asLong() - lean.get("adapter_bytes").asLong();
        assertEquals(5.97, bytes / exact.get("adapter_parameters").asDouble(), 0.05);
        assertEquals(bytes / 0x1p30, exact.get("peak_gib").asDouble() - lean.get("peak_gib").asDouble(), 0.2 * bytes / 0x1p30);
        assertEquals(exact.get("first_loss"), lean.get("first_loss"));
        assertEquals(exact.get("loss").asDouble(), lean.get("loss").asDouble(), 1e-3);
    }

    /// Their full sizes fit no test machine, but their configurations must be what the families understand.
    @ParameterizedTest
    @ValueSource(strings = {"qwen3-30b-a3b", "gpt-oss-20b", "glm-4.7-flash", "gemma-3-27b"})
    void publishedShapesCanBeTrained(String name) {
        try (var model = ModelFolder.of(name, 2, StackPacking.NONE)) {
            var fields = Families.config(model.path());
            assertEquals(2, Families.of(fields).read(fields).layers());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {GPT_OSS, GLM})
    void otherFamiliesTrainTooWithAdaptersOnAttentionAndExperts(String json) throws IOException {
        Files.writeString(config, json);
        var result = step("--contexts", "40", "--json");
        assertEquals(0, result.exitCode(), result.err());
        assertEquals(Math.log(300), new ObjectMapper().readTree(result.out()).get("first_loss").asDouble(), 0.3);
    }

    @Test
    void packedExpertsTrainAndAreNamed() throws IOException {
        Files.writeString(config, GPT_OSS);
        var result = step("--contexts", "40", "--json", "--packing", "mxfp4");
        assertEquals(0, result.exitCode(), result.err());
        var json = new ObjectMapper().readTree(result.out());
        assertEquals("random, MXFP4 experts", json.get("weights").asText());
        assertEquals(Math.log(300), json.get("first_loss").asDouble(), 0.3);
    }

    @Test
    void expertsGoWithoutAdaptersIfSoAsked() throws IOException {
        var all = new ObjectMapper().readTree(step("--contexts", "32", "--json").out());
        var attention = new ObjectMapper().readTree(step("--contexts", "32", "--json", "--targets", "attention").out());
        assertEquals("attention", attention.get("targets").asText());
        assertTrue(attention.get("adapter_parameters").asLong() < all.get("adapter_parameters").asLong());
        assertTrue(attention.get("floor_ms").asDouble() < all.get("floor_ms").asDouble());
    }

    @Test
    void packingIsRefusedForWeightsThatAreRead() throws IOException {
        Files.writeString(folder.resolve("config.json"), GPT_OSS);
        Files.createFile(folder.resolve("model.safetensors"));
        config = folder;
        var result = step("--packing", "mxfp4");
        assertEquals(2, result.exitCode());
        assertTrue(result.err().contains("--packing mxfp4 is for random weights"), result.err());
    }

    @Test
    void temporaryFolderIsGoneAfterwards() {
        Path made;
        try (var model = ModelFolder.of("qwen3-30b-a3b", 2, StackPacking.NONE)) {
            made = model.path();
            assertTrue(Files.exists(made.resolve("config.json")));
        }
        assertTrue(Files.notExists(made));
    }
}
