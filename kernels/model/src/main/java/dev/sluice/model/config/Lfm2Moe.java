package dev.sluice.model.config;

import dev.sluice.compute.op.RouterOps;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.Correction;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.MixerConfig.ShortConvolution;
import dev.sluice.model.json.JsonFields;
import java.util.List;

/// LFM2 Mixture-of-Experts, most of whose layers mix tokens with a short convolution.
final class Lfm2Moe implements Family {
    private static final String CONVOLUTION = "conv";
    private static final String FULL = "full_attention";
    private static final String FEED_FORWARD = "feed_forward.";
    private static final float EPSILON = 1e-6f;

    @Override
    public String modelType() {
        return "lfm2_moe";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.with(DecoderModule.FINAL_NORM, "model.embedding_norm")
                .with(DecoderModule.INPUT_NORM, "operator_norm").with(DecoderModule.FEED_FORWARD_NORM, "ffn_norm")
                .with(DecoderModule.OUTPUT, "self_attn.out_proj").with(DecoderModule.QUERY_NORM, "self_attn.q_layernorm")
                .with(DecoderModule.KEY_NORM, "self_attn.k_layernorm").with(DecoderModule.GATE, FEED_FORWARD + "w1")
                .with(DecoderModule.UP, FEED_FORWARD + "w3").with(DecoderModule.DOWN, FEED_FORWARD + "w2")
                .with(DecoderModule.ROUTER, FEED_FORWARD + "gate").with(DecoderModule.CORRECTION, FEED_FORWARD + "expert_bias")
                .withExperts(FEED_FORWARD + "experts.").with(DecoderModule.EXPERT_GATE, FEED_FORWARD + "experts.%d.w1")
                .with(DecoderModule.EXPERT_UP, FEED_FORWARD + "experts.%d.w3")
                .with(DecoderModule.EXPERT_DOWN, FEED_FORWARD + "experts.%d.w2");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        int maxPositions = fields.positions(128000);
        var rope = RopeReader.read(config, fields.headDim(), maxPositions, 1e6);
        var attention = fields.grouped(fields.kvHeads(8), false, false, QkNorm.HEADS, rope);
        var convolution = new ShortConvolution(fields.width("conv_L_cache", 3), config.flag("conv_bias", false));
        if (!config.has("layer_types")) {
            throw config.wrong("layer_types", "a list of " + fields.layers() + " words", null);
        }
        List<String> kinds = fields.perLayer("layer_types", List.of(CONVOLUTION, FULL), _ -> FULL);
        int firstSparse = fields.layerIndex("num_dense_layers", 2);
        return fields.decoder(modelType(), maxPositions, true, StreamConfig.plain(config.positive("norm_eps", 1e-5)),
                layer -> new LayerConfig(kinds.get(layer).equals(FULL) ? attention : convolution, layer < firstSparse
                        ? new DenseConfig(fields.width("intermediate_size", 7168)) : sparse(fields)))
                .withTiedEmbeddings(config.flag(config.spelling("tie_embedding", "tie_word_embeddings"), true));
    }

    private static SparseConfig sparse(FamilyFields fields) {
        JsonFields config = fields.config();
        int experts = fields.experts(config.spelling("num_experts", "num_local_experts"), 32);
        return new SparseConfig(new RouterConfig(experts, fields.topK("num_experts_per_tok", experts, 4),
                RouterOps.Kind.SIGMOID_TOPK, false, config.flag("use_expert_bias", true) ? Correction.VECTOR : Correction.NONE, 1, 1,
                config.flag("norm_topk_prob", true), EPSILON, 0, (float) config.positive("routed_scaling_factor", 1), false),
                ExpertsConfig.swiglu(fields.width("moe_intermediate_size", 1792)), null);
    }
}
