package dev.sluice.bench.floor;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.model.json.JsonFields;
import java.util.List;

/// Reads a [ModelShape] from the fields of a Hugging Face `config.json`, whatever the family.
public final class ShapeReader {
    private static final int LARGEST = 1 << 30;

    private final JsonFields config;
    private final int layers;

    private ShapeReader(JsonFields config) {
        this.config = config;
        this.layers = count("num_hidden_layers");
    }

    /// @throws dev.sluice.model.InvalidFileException naming the field that is missing or makes no sense
    public static ModelShape read(JsonFields config) {
        return new ShapeReader(config).shape();
    }

    private ModelShape shape() {
        boolean latent = config.has("kv_lora_rank");
        int hidden = count("hidden_size");
        int heads = count("num_attention_heads");
        int kvHeads = count("num_key_value_heads", heads);
        int keyWidth = latent ? count("qk_nope_head_dim") + count("qk_rope_head_dim") : count("head_dim", Math.max(1, hidden / heads));
        int valueWidth = latent ? count("v_head_dim") : keyWidth;
        String experts = config.spelling("num_experts", "num_local_experts", "n_routed_experts");
        boolean sparse = config.has(experts);
        int width = count(config.spelling("moe_intermediate_size", "intermediate_size"));
        return new ModelShape(count("vocab_size"), hidden, layers, sparse ? count(experts) : 0,
                sparse ? count("num_experts_per_tok") : 0, width, heads, kvHeads, keyWidth, valueWidth,
                latent ? latent(hidden, heads, kvHeads, keyWidth, valueWidth)
                        : List.of(new Projection("qkv", hidden, heads * keyWidth + 2 * kvHeads * keyWidth, 3)),
                latent, sparse ? config.has("first_k_dense_replace") ? config.integer("first_k_dense_replace", 0, layers) : 0 : layers,
                count("intermediate_size", width), width * (config.has("n_shared_experts") ? config.integer("n_shared_experts", 0, LARGEST) : 0),
                windowedLayers(), windowedLayers() > 0 ? count("sliding_window") : 0);
    }

    private List<Projection> latent(int hidden, int heads, int kvHeads, int keyWidth, int valueWidth) {
        int query = count("q_lora_rank");
        int compressed = count("kv_lora_rank");
        return List.of(new Projection("q_a", hidden, query, 1), new Projection("q_b", query, heads * keyWidth, 1),
                new Projection("kv_a", hidden, compressed + count("qk_rope_head_dim"), 1),
                new Projection("kv_b", compressed, kvHeads * (count("qk_nope_head_dim") + valueWidth), 1));
    }

    /// Layers named so in `layer_types`; where they are unnamed, every other one of gpt-oss and all but every so-manieth of Gemma.
    private int windowedLayers() {
        JsonNode types = config.get("layer_types");
        if (types != null) {
            int windowed = 0;
            for (JsonNode type : types) {
                windowed += type.asText().equals("sliding_attention") ? 1 : 0;
            }
            return windowed;
        }
        return switch (config.text("model_type", "")) {
            case "gpt_oss" -> (layers + 1) / 2;
            case "gemma3_text" -> layers - layers / count("sliding_window_pattern", 6);
            default -> 0;
        };
    }

    private int count(String field) {
        return config.count(field, LARGEST);
    }

    private int count(String field, int otherwise) {
        return config.count(field, LARGEST, otherwise);
    }
}
