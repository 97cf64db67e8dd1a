package dev.sluice.model.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.model.Golden;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FamiliesTest {
    private static final String RELEASED = """
            {"model_type": "qwen3_moe", "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144,
             "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
             "num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "norm_topk_prob": true,
             "decoder_sparse_step": 1, "mlp_only_layers": [], "max_position_embeddings": 40960, "rms_norm_eps": 1e-06,
             "rope_theta": 1000000.0, "rope_scaling": null, "sliding_window": null, "use_sliding_window": false,
             "max_window_layers": 48, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "eos_token_id": 151645}""";

    @TempDir
    Path folder;

    @Test
    void releasedConfigurationIsRead() throws IOException {
        DecoderConfig config = read(RELEASED);
        assertEquals(48, config.layers());
        var rope = new RopeConfig(1e6, 128, new RopeConfig.Scaling.Default());
        assertEquals(new AttentionConfig.Grouped(32, 4, 128, false, false, AttentionConfig.QkNorm.HEADS, 0,
                (float) (1 / Math.sqrt(128)), 0, false, rope), config.mixer(0));
        assertEquals(128, assertInstanceOf(SparseConfig.class, config.feedForward(0)).experts());
        assertEquals(List.of(151645), config.eosTokens());
    }

    @Test
    void spellingsOfVersionFourAndFiveMeanTheSame() throws IOException {
        String five = RELEASED.replace("\"rope_theta\": 1000000.0, \"rope_scaling\": null",
                "\"rope_parameters\": {\"rope_theta\": 1000000.0, \"rope_type\": \"default\"}")
                .replace("num_experts\"", "num_local_experts\"").replace("torch_dtype", "dtype");
        assertEquals(read(RELEASED), read(five));
        String yarn = "{\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32768";
        assertEquals(read(RELEASED.replace("\"rope_scaling\": null", "\"rope_scaling\": " + yarn.replace("rope_type", "type") + "}")),
                read(five.replace("{\"rope_theta\": 1000000.0, \"rope_type\": \"default\"}", yarn + ", \"rope_theta\": 1000000.0}")));
    }

    @Test
    void denseLayersAreThoseTheConfigurationNames() throws IOException {
        DecoderConfig config = read(RELEASED.replace("\"num_hidden_layers\": 48", "\"num_hidden_layers\": 4")
                .replace("\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 2").replace("\"mlp_only_layers\": []", "\"mlp_only_layers\": [3]"));
        assertEquals(List.of(true, false, true, true),
                config.layerConfigs().stream().map(layer -> layer.feedForward() instanceof DenseConfig).toList());
    }

    @Test
    void windowCountsOnlyWhereItIsSwitchedOn() throws IOException {
        String windowed = RELEASED.replace("\"sliding_window\": null", "\"sliding_window\": 77");
        assertEquals(0, window(windowed));
        assertEquals(77, window(windowed.replace("\"use_sliding_window\": false", "\"use_sliding_window\": true")));
    }

    @Test
    void unknownFamilyIsRefusedWithTheKnownOnes() {
        var refusal = assertThrows(UnsupportedModelException.class, () -> read(RELEASED.replace("qwen3_moe", "llama")));
        assertTrue(refusal.getMessage().contains("model_type llama is not supported; known are qwen3_moe"), refusal.getMessage());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "hidden_size should be an integer in 1.. | \"hidden_size\": 2048 | \"hidden_size\": 0",
        "hidden_size should be an integer in 1.. | \"hidden_size\": 2048 | \"hidden_size\": \"2048\"",
        "num_hidden_layers should be | \"num_hidden_layers\": 48 | \"num_hidden_layers\": 1e9",
        "num_key_value_heads should be a divisor of num_attention_heads 32 | \"num_key_value_heads\": 4 | \"num_key_value_heads\": 5",
        "head_dim should be even | \"head_dim\": 128 | \"head_dim\": 127",
        "num_experts_per_tok should be an integer in 1..128 | \"num_experts_per_tok\": 8 | \"num_experts_per_tok\": 129",
        "vocab_size should be an integer | \"vocab_size\": 151936, | \"no_vocab\": 1,",
        "rms_norm_eps should be a number above 0 | 1e-06 | -1",
        "mlp_only_layers should be a list of layer indices | \"mlp_only_layers\": [] | \"mlp_only_layers\": [-1]",
        "tie_word_embeddings should be true or false | \"tie_word_embeddings\": false | \"tie_word_embeddings\": 1",
        "not valid JSON | \"vocab_size\": 151936 | \"vocab_size\": 151936, \"vocab_size\": 1",
    })
    void nonsenseIsRefusedByName(String reason, String from, String to) {
        var refusal = assertThrows(InvalidFileException.class, () -> read(RELEASED.replace(from, to)));
        assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("config.json"), refusal.getMessage());
    }

    @Test
    void deepNestingIsRefusedAtOnce() {
        var refusal = assertTimeoutPreemptively(Duration.ofSeconds(1), () -> assertThrows(InvalidFileException.class,
                () -> read("{\"a\":".repeat(100_000))));
        assertTrue(refusal.getMessage().contains("not valid JSON"), refusal.getMessage());
    }

    @Test
    void unknownRopeIsRefusedWithTheKnownOnes() {
        var refusal = assertThrows(UnsupportedModelException.class, () ->
                read(RELEASED.replace("\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"longrope\"}")));
        assertTrue(refusal.getMessage().contains("longrope is not supported; known are default, linear, dynamic, yarn, llama3"));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "mixtral-bfloat16 | router_jitter_noise 0.1 is not supported | \"router_jitter_noise\": 0.0 | \"router_jitter_noise\": 0.1",
        "glm4-moe-fp8 | n_group should be a divisor of the 6 experts | \"n_group\": 3 | \"n_group\": 4",
        "glm4-moe-fp8 | topk_group should be at most n_group 3 | \"topk_group\": 2 | \"topk_group\": 4",
        "gpt-oss-bfloat16 | layer_types chunked_attention is not supported | \"full_attention\" | \"chunked_attention\"",
        "gpt-oss-bfloat16 | rope_scaling should be | \"rope_parameters\" | \"no_rope\"",
        "deepseek-v3-fp8 | num_key_value_heads should be num_attention_heads 4 | \"num_key_value_heads\": 4 | \"num_key_value_heads\": 2",
        "glm4-moe-lite-bfloat16 | mlp_layer_types odd is not supported; known are dense, sparse | \"sparse\" | \"odd\"",
        "ernie-bfloat16 | use_bias true is not supported | \"use_bias\": false | \"use_bias\": true",
        "lfm2-bfloat16 | layer_types should be a list of 3 words | \"layer_types\" | \"no_types\"",
        "lfm2-bfloat16 | layer_types mamba is not supported; known are conv, full_attention | \"conv\" | \"mamba\"",
        "deepseek-v32-bfloat16 | rope_interleave false is not supported | \"rms_norm_eps\" | \"rope_interleave\": false, \"rms_norm_eps\"",
        "qwen3-vl-bfloat16 | text_config.num_experts_per_tok should be an integer in 1..5 | \"num_experts_per_tok\": 2 | \"num_experts_per_tok\": 6",
        "gemma3-bfloat16 | final_logit_softcapping 30 is not supported | \"final_logit_softcapping\": null | \"final_logit_softcapping\": 30",
        "gemma3-bfloat16 | hidden_activation gelu is not supported | gelu_pytorch_tanh | gelu",
    })
    void whatAFamilyDoesNotDoIsRefusedByName(String golden, String reason, String from, String to) throws IOException {
        String json = Files.readString(Golden.folder(golden).resolve("model/config.json"));
        assertTrue(json.contains(from), json);
        var refusal = assertThrows(RuntimeException.class, () -> read(json.replace(from, to)));
        assertTrue(refusal.getMessage().contains(reason) && refusal.getMessage().contains("config.json"), refusal.getMessage());
    }

    private int window(String json) throws IOException {
        return assertInstanceOf(AttentionConfig.class, read(json).mixer(0)).window();
    }

    private DecoderConfig read(String json) throws IOException {
        Files.writeString(folder.resolve("config.json"), json);
        var fields = Families.config(folder);
        return Families.of(fields).read(fields);
    }
}
