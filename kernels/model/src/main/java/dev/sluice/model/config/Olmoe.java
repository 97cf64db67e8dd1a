package dev.sluice.model.config;

import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;

/// OLMoE.
final class Olmoe implements Family {
    @Override
    public String modelType() {
        return "olmoe";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(4096);
        boolean bias = config.flag("attention_bias", false);
        var rope = RopeReader.read(config, fields.headDim(), maxPositions, 10000);
        var attention = fields.grouped(fields.kvHeads(fields.heads()), bias, bias, QkNorm.WHOLE, rope)
                .withClip(config.has("clip_qkv") ? (float) config.positive("clip_qkv") : 0);
        int experts = fields.experts(config.spelling("num_experts", "num_local_experts"), 64);
        var sparse = new SparseConfig(RouterConfig.softmax(experts, fields.topK("num_experts_per_tok", experts, 8),
                config.flag("norm_topk_prob", false)), ExpertsConfig.swiglu(fields.width("intermediate_size", 2048)), null);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                _ -> new LayerConfig(attention, sparse));
    }
}
