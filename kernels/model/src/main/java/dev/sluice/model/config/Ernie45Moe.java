package dev.sluice.model.config;

import dev.sluice.compute.op.RotaryOps.Pairing;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.Correction;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;

/// ERNIE 4.5 Mixture-of-Experts. The released models have no biases (`use_bias`); one that has is refused.
final class Ernie45Moe implements Family {
    @Override
    public String modelType() {
        return "ernie4_5_moe";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.with(DecoderModule.CORRECTION, "mlp.moe_statics.e_score_correction_bias");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        fields.requireUnused("use_bias");
        int maxPositions = fields.positions(131072);
        var rope = RopeReader.read(config, fields.headDim(), maxPositions, 500000).with(Pairing.INTERLEAVED);
        var attention = fields.grouped(fields.kvHeads(4), false, false, QkNorm.NONE, rope);
        int interval = fields.layers("moe_layer_interval", 1);
        int start = fields.layerIndex("moe_layer_start_index", 1);
        int end = lastSparse(config, fields);
        return fields.decoder(modelType(), maxPositions, true, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                layer -> new LayerConfig(attention, (layer + 1) % interval == 0 && layer >= start && layer <= end
                        ? sparse(fields) : new DenseConfig(fields.width("intermediate_size", 12288))));
    }

    /// -1 stands for the last layer.
    private static int lastSparse(JsonFields config, FamilyFields fields) {
        boolean last = !config.has("moe_layer_end_index") || config.get("moe_layer_end_index").asInt() == -1;
        return last ? fields.layers() - 1 : fields.layerIndex("moe_layer_end_index", 0);
    }

    private static SparseConfig sparse(FamilyFields fields) {
        JsonFields config = fields.config();
        int experts = fields.experts(config.spelling("moe_num_experts", "num_experts"), 64);
        int width = fields.width("moe_intermediate_size", 1536);
        int shared = fields.anyExperts("moe_num_shared_experts", 2);
        return new SparseConfig(new RouterConfig(experts, fields.topK(config.spelling("moe_k", "num_experts_per_tok"), experts, 6),
                RouterOps.Kind.SOFTMAX_TOPK, false, Correction.ROW, 1, 1, true, 0,
                (float) config.positive("moe_norm_min", 1e-12), 1, true), ExpertsConfig.swiglu(width),
                shared == 0 ? null : new DenseConfig(Math.multiplyExact(width, shared)));
    }
}
