package dev.sluice.model.config;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;
import java.util.HashSet;
import java.util.Set;

/// Qwen3 Mixture-of-Experts: Instruct, Thinking and Coder. Defaults are those of transformers' configuration class.
final class Qwen3Moe implements Family {
    @Override
    public String modelType() {
        return "qwen3_moe";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(32768);
        Grouped attention = attention(fields, maxPositions);
        int experts = fields.anyExperts(config.spelling("num_experts", "num_local_experts"));
        int sparseStep = fields.layers("decoder_sparse_step", 1);
        Set<Integer> dense = denseLayers(config);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-6)),
                layer -> new LayerConfig(attention, experts > 0 && !dense.contains(layer) && (layer + 1) % sparseStep == 0
                        ? sparse(fields, experts) : new DenseConfig(fields.width("intermediate_size"))));
    }

    private static Grouped attention(FamilyFields fields, int maxPositions) {
        JsonFields config = fields.config();
        int window = config.flag("use_sliding_window", false) ? fields.window("sliding_window") : 0;
        boolean bias = config.flag("attention_bias", false);
        var rope = RopeReader.read(config, fields.headDim(), maxPositions, 10000);
        return fields.grouped(fields.kvHeads(4), bias, bias, QkNorm.HEADS, rope).withWindow(window);
    }

    private static SparseConfig sparse(FamilyFields fields, int experts) {
        return new SparseConfig(RouterConfig.softmax(experts, fields.topK("num_experts_per_tok", experts, 8),
                fields.config().flag("norm_topk_prob", false)), ExpertsConfig.swiglu(fields.width("moe_intermediate_size", 768)), null);
    }

    /// The layers that `mlp_only_layers` names.
    static Set<Integer> denseLayers(JsonFields config) {
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
}
