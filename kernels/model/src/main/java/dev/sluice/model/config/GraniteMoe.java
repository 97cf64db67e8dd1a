package dev.sluice.model.config;

import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;

/// Granite 3 Mixture-of-Experts, whose embeddings, scores, residuals and logits have multipliers.
final class GraniteMoe implements Family {
    private static final String SPARSE = "block_sparse_moe.";

    @Override
    public String modelType() {
        return "granitemoe";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.with(DecoderModule.ROUTER, SPARSE + "router.layer")
                .with(DecoderModule.STORED_GATE_UP, SPARSE + "input_linear.weight")
                .with(DecoderModule.STORED_DOWN, SPARSE + "output_linear.weight")
                .with(DecoderModule.FUSED_GATE_UP, SPARSE + "experts.gate_up_proj")
                .with(DecoderModule.FUSED_DOWN, SPARSE + "experts.down_proj")
                .with(DecoderModule.EXPERT_GATE, SPARSE + "experts.%d.w1")
                .with(DecoderModule.EXPERT_UP, SPARSE + "experts.%d.w3")
                .with(DecoderModule.EXPERT_DOWN, SPARSE + "experts.%d.w2");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(2048);
        int headDim = fields.headDim();
        boolean bias = config.flag("attention_bias", false);
        var attention = new Grouped(fields.heads(), fields.kvHeads(fields.heads()), headDim, bias, bias, QkNorm.NONE, 0,
                (float) config.positive("attention_multiplier", 1), 0, false,
                RopeReader.read(config, headDim, maxPositions, 10000));
        int experts = fields.experts(config.spelling("num_local_experts", "num_experts"), 8);
        var sparse = new SparseConfig(RouterConfig.softmax(experts, fields.topK("num_experts_per_tok", experts, 2), true),
                ExpertsConfig.swiglu(fields.width("intermediate_size")), null);
        var stream = new StreamConfig(config.positive("rms_norm_eps", 1e-6), false, false,
                (float) config.positive("embedding_multiplier", 1), (float) config.positive("residual_multiplier", 1),
                (float) (1 / config.positive("logits_scaling", 1)));
        return fields.decoder(modelType(), maxPositions, false, stream, _ -> new LayerConfig(attention, sparse));
    }
}
