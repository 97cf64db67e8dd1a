package dev.sluice.model.config;

import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.RouterOps;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.Correction;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.FeedForwardConfig.StackOrder;
import dev.sluice.model.json.JsonFields;
import java.util.List;

/// gpt-oss and gpt-oss-safeguard. Its activation's constants are not read from the configuration, as in transformers.
final class GptOss implements Family {
    private static final String SLIDING = "sliding_attention";
    private static final String FULL = "full_attention";

    @Override
    public String modelType() {
        return "gpt_oss";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.with(DecoderModule.ROUTER, "mlp.router");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        fields.require(!config.has("swiglu_limit") || config.positive("swiglu_limit") == 7,
                "swiglu_limit " + config.get("swiglu_limit") + " is not supported; known is 7");
        int maxPositions = fields.positions(131072);
        Grouped full = attention(fields, maxPositions);
        Grouped sliding = full.withWindow(fields.window("sliding_window"));
        List<String> kinds = fields.perLayer("layer_types", List.of(SLIDING, FULL), layer -> layer % 2 == 0 ? SLIDING : FULL);
        int experts = fields.experts(config.spelling("num_local_experts", "num_experts"), 128);
        var sparse = new SparseConfig(
                new RouterConfig(experts, fields.topK(config.spelling("num_experts_per_tok", "experts_per_token"), experts, 4),
                        RouterOps.Kind.SOFTMAX_TOPK, true, Correction.NONE, 1, 1, true, 0, 0, 1, false),
                new ExpertsConfig(fields.width("intermediate_size", 2880), true, GatedActivation.CLAMPED_SWIGLU,
                        StackOrder.INTERLEAVED_TRANSPOSED), null);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                layer -> new LayerConfig(kinds.get(layer).equals(SLIDING) ? sliding : full, sparse));
    }

    private static Grouped attention(FamilyFields fields, int maxPositions) {
        JsonFields config = fields.config();
        if (!config.has(config.spelling("rope_parameters", "rope_scaling"))) {
            throw config.wrong("rope_scaling", "an object that describes the rope", null);
        }
        int headDim = fields.width("head_dim", 64);
        boolean bias = config.flag("attention_bias", true);
        var rope = RopeReader.read(config, headDim, maxPositions, 150000);
        return new Grouped(fields.heads(), fields.kvHeads(8), headDim, bias, bias, QkNorm.NONE, 0,
                (float) (1 / Math.sqrt(headDim)), 0, true, rope);
    }
}
