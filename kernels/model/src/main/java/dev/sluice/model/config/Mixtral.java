package dev.sluice.model.config;

import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;

/// Mixtral. Its router noise (`router_jitter_noise`) is random and so refused where it is not 0.
final class Mixtral implements Family {
    @Override
    public String modelType() {
        return "mixtral";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.with(DecoderModule.ROUTER, "block_sparse_moe.gate")
                .with(DecoderModule.EXPERT_GATE, "block_sparse_moe.experts.%d.w1")
                .with(DecoderModule.EXPERT_UP, "block_sparse_moe.experts.%d.w3")
                .with(DecoderModule.EXPERT_DOWN, "block_sparse_moe.experts.%d.w2");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        fields.requireUnused("router_jitter_noise");
        int maxPositions = fields.positions(131072);
        var rope = RopeReader.read(config, fields.headDim(), maxPositions, 1e6);
        var attention = fields.grouped(fields.kvHeads(8), false, false, QkNorm.NONE, rope)
                .withWindow(fields.window("sliding_window"));
        int experts = fields.experts(config.spelling("num_local_experts", "num_experts"), 8);
        var sparse = new SparseConfig(RouterConfig.softmax(experts, fields.topK("num_experts_per_tok", experts, 2), true),
                ExpertsConfig.swiglu(fields.width("intermediate_size")), null);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                _ -> new LayerConfig(attention, sparse));
    }
}
