package dev.sluice.model.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.json.JsonFields;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/// The fields of `config.json` that most families share, within limits that keep every product of them in range.
record FamilyFields(JsonFields config) {
    private static final int LARGEST_WIDTH = 1 << 20;
    private static final int LARGEST_VOCABULARY = 1 << 24;
    private static final int MOST_LAYERS = 1 << 12;
    private static final int MOST_HEADS = 1 << 14;
    private static final int MOST_EXPERTS = 1 << 14;
    private static final int MOST_POSITIONS = 1 << 30;

    int hidden() {
        return width("hidden_size");
    }

    int layers() {
        return config.count("num_hidden_layers", MOST_LAYERS);
    }

    int layers(String field, int otherwise) {
        return config.count(field, MOST_LAYERS, otherwise);
    }

    /// A layer index, or a number of layers that may be 0.
    int layerIndex(String field, int otherwise) {
        return config.has(field) ? config.integer(field, 0, MOST_LAYERS) : otherwise;
    }

    int width(String field) {
        return config.count(field, LARGEST_WIDTH);
    }

    int width(String field, int otherwise) {
        return config.count(field, LARGEST_WIDTH, otherwise);
    }

    int experts(String field) {
        return config.count(field, MOST_EXPERTS);
    }

    int experts(String field, int otherwise) {
        return config.count(field, MOST_EXPERTS, otherwise);
    }

    /// A number of experts that may be 0 but not absent.
    int anyExperts(String field) {
        return config.integer(field, 0, MOST_EXPERTS);
    }

    /// A number of experts that may be 0.
    int anyExperts(String field, int otherwise) {
        return config.has(field) ? config.integer(field, 0, MOST_EXPERTS) : otherwise;
    }

    int topK(String field, int experts, int otherwise) {
        return config.count(field, experts, Math.min(experts, otherwise));
    }

    int positions(int otherwise) {
        return config.count("max_position_embeddings", MOST_POSITIONS, otherwise);
    }

    /// Width of a sliding window, 0 where the field is absent.
    int window(String field) {
        return config.has(field) ? config.count(field, MOST_POSITIONS) : 0;
    }

    int heads() {
        return config.count("num_attention_heads", MOST_HEADS);
    }

    int kvHeads(int otherwise) {
        int heads = heads();
        int kvHeads = config.count("num_key_value_heads", MOST_HEADS, otherwise);
        if (heads % kvHeads != 0) {
            throw config.wrong("num_key_value_heads", "a divisor of num_attention_heads " + heads, config.get("num_key_value_heads"));
        }
        return kvHeads;
    }

    int headDim() {
        int headDim = width("head_dim", Math.max(1, hidden() / heads()));
        if (headDim % 2 != 0) {
            throw config.wrong("head_dim", "even, or it cannot be rotated in pairs", config.get("head_dim"));
        }
        return headDim;
    }

    /// Attention with the usual scale, over all earlier tokens.
    Grouped grouped(int kvHeads, boolean bias, boolean outputBias, QkNorm norm, RopeConfig rope) {
        int headDim = headDim();
        return new Grouped(heads(), kvHeads, headDim, bias, outputBias, norm, 0, (float) (1 / Math.sqrt(headDim)), 0, false, rope);
    }

    /// @throws UnsupportedModelException if the field has another value than the only one that is implemented
    void requireText(String field, String only) {
        String found = config.text(field, only);
        require(found.equals(only), field + " " + found + " is not supported; known is " + only);
    }

    /// @throws UnsupportedModelException if the field is there and not `null`, false or 0
    void requireUnused(String field) {
        JsonNode value = config.get(field);
        require(value == null || value.isBoolean() && !value.booleanValue() || value.isNumber() && value.doubleValue() == 0,
                field + " " + value + " is not supported; known is null");
    }

    void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new UnsupportedModelException(config.file() + ": " + otherwise);
        }
    }

    /// Which layers `mlp_layer_types` calls dense, or `otherwise` where the list is absent.
    IntPredicate denseByType(IntPredicate otherwise) {
        String dense = "dense";
        String sparse = "sparse";
        List<String> kinds = perLayer("mlp_layer_types", List.of(dense, sparse), layer -> otherwise.test(layer) ? dense : sparse);
        return layer -> kinds.get(layer).equals(dense);
    }

    /// One of a list of words per layer, or `otherwise` where the list is absent.
    List<String> perLayer(String field, List<String> known, IntFunction<String> otherwise) {
        JsonNode list = config.get(field);
        int layers = layers();
        if (list == null) {
            return IntStream.range(0, layers).mapToObj(otherwise).toList();
        }
        if (!list.isArray() || list.size() < layers) {
            throw config.wrong(field, "a list of " + layers + " words", list);
        }
        var words = new ArrayList<String>(layers);
        for (int i = 0; i < layers; i++) {
            String word = list.get(i).asText();
            require(known.contains(word), field + " " + word + " is not supported; known are " + String.join(", ", known));
            words.add(word);
        }
        return words;
    }

    DecoderConfig decoder(String modelType, int maxPositions, boolean tied, StreamConfig stream, IntFunction<LayerConfig> layer) {
        return new DecoderConfig(modelType, config.count("vocab_size", LARGEST_VOCABULARY), hidden(), maxPositions,
                config.flag("tie_word_embeddings", tied), stream, IntStream.range(0, layers()).mapToObj(layer).toList(), eosTokens());
    }

    private List<Integer> eosTokens() {
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
