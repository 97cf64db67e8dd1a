package dev.sluice.model.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Qwen3 Mixture-of-Experts: Instruct, Thinking and Coder. Defaults are those of transformers' configuration class.
final class Qwen3Moe implements Family {
    private static final int LARGEST_WIDTH = 1 << 20;
    private static final int LARGEST_VOCABULARY = 1 << 24;
    private static final int MOST_LAYERS = 1 << 12;
    private static final int MOST_HEADS = 1 << 14;
    private static final int MOST_EXPERTS = 1 << 14;
    private static final int MOST_POSITIONS = 1 << 30;

    @Override
    public String modelType() {
        return "qwen3_moe";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        String activation = config.text("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw new UnsupportedModelException(config.file() + ": hidden_act " + activation + " is not supported; known is silu");
        }
        int hidden = config.count("hidden_size", LARGEST_WIDTH);
        int maxPositions = config.count("max_position_embeddings", MOST_POSITIONS, 32768);
        AttentionConfig attention = attention(config, hidden);
        return new DecoderConfig(modelType(), config.count("vocab_size", LARGEST_VOCABULARY), hidden,
                config.positive("rms_norm_eps", 1e-6), maxPositions, config.flag("tie_word_embeddings", false), attention,
                RopeReader.read(config, attention.headDim(), maxPositions, 10000), feedForwards(config), eosTokens(config));
    }

    private static AttentionConfig attention(JsonFields config, int hidden) {
        int heads = config.count("num_attention_heads", MOST_HEADS);
        int kvHeads = config.count("num_key_value_heads", MOST_HEADS, 4);
        if (heads % kvHeads != 0) {
            throw config.wrong("num_key_value_heads", "a divisor of num_attention_heads " + heads, config.get("num_key_value_heads"));
        }
        int headDim = config.count("head_dim", LARGEST_WIDTH, Math.max(1, hidden / heads));
        if (headDim % 2 != 0) {
            throw config.wrong("head_dim", "even, or it cannot be rotated in pairs", config.get("head_dim"));
        }
        boolean windowed = config.flag("use_sliding_window", false) && config.has("sliding_window");
        int window = windowed ? config.count("sliding_window", MOST_POSITIONS) : 0;
        return new AttentionConfig(heads, kvHeads, headDim, config.flag("attention_bias", false), true,
                (float) (1 / Math.sqrt(headDim)), window);
    }

    private static List<FeedForwardConfig> feedForwards(JsonFields config) {
        int layers = config.count("num_hidden_layers", MOST_LAYERS);
        int experts = config.integer(config.spelling("num_experts", "num_local_experts"), 0, MOST_EXPERTS);
        int sparseStep = config.count("decoder_sparse_step", MOST_LAYERS, 1);
        Set<Integer> dense = denseLayers(config);
        var all = new ArrayList<FeedForwardConfig>(layers);
        for (int layer = 0; layer < layers; layer++) {
            boolean sparse = experts > 0 && !dense.contains(layer) && (layer + 1) % sparseStep == 0;
            all.add(sparse ? sparse(config, experts) : new DenseConfig(config.count("intermediate_size", LARGEST_WIDTH)));
        }
        return all;
    }

    private static SparseConfig sparse(JsonFields config, int experts) {
        return new SparseConfig(experts, config.count("num_experts_per_tok", experts, 8),
                config.count("moe_intermediate_size", LARGEST_WIDTH, 768), config.flag("norm_topk_prob", false),
                RouterOps.Kind.SOFTMAX_TOPK);
    }

    private static Set<Integer> denseLayers(JsonFields config) {
        JsonNode list = config.get("mlp_only_layers");
        var layers = new HashSet<Integer>();
        if (list == null) {
            return layers;
        }
        if (!list.isArray()) {
            throw config.wrong("mlp_only_layers", "a list of layer indices", list);
        }
        for (JsonNode layer : list) {
            if (!layer.canConvertToInt() || layer.intValue() < 0) {
                throw config.wrong("mlp_only_layers", "a list of layer indices", list);
            }
            layers.add(layer.intValue());
        }
        return layers;
    }

    private static List<Integer> eosTokens(JsonFields config) {
        JsonNode value = config.get("eos_token_id");
        var tokens = new ArrayList<Integer>();
        if (value != null && value.isArray()) {
            value.forEach(id -> tokens.add(id.intValue()));
        } else if (value != null) {
            tokens.add(value.intValue());
        }
        return tokens;
    }
}
