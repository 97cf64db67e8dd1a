package dev.sluice.model.config;

import dev.sluice.compute.op.GatedActivation;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.json.JsonFields;
import java.util.List;

/// Gemma 3, the text models. Layers with a sliding window have a rope of their own. Softcaps, which the released models do
/// not have, and attention in both directions are refused.
final class Gemma3Text implements Family {
    private static final String SLIDING = "sliding_attention";
    private static final String FULL = "full_attention";

    @Override
    public String modelType() {
        return "gemma3_text";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.with(DecoderModule.FEED_FORWARD_NORM, "pre_feedforward_layernorm");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_activation", "gelu_pytorch_tanh");
        List.of("final_logit_softcapping", "attn_logit_softcapping", "use_bidirectional_attention").forEach(fields::requireUnused);
        int maxPositions = fields.positions(131072);
        int headDim = fields.width("head_dim", 256);
        Grouped full = attention(fields, headDim, globalRope(config, headDim, maxPositions));
        Grouped sliding = attention(fields, headDim, localRope(config, headDim, maxPositions))
                .withWindow(config.has("sliding_window") ? fields.window("sliding_window") : 4096);
        int pattern = fields.layers(config.spelling("sliding_window_pattern", "_sliding_window_pattern"), 6);
        List<String> kinds = fields.perLayer("layer_types", List.of(SLIDING, FULL),
                layer -> (layer + 1) % pattern == 0 ? FULL : SLIDING);
        var dense = new DenseConfig(fields.width("intermediate_size", 9216), GatedActivation.GEGLU);
        var stream = new StreamConfig(config.positive("rms_norm_eps", 1e-6), true, true, (float) Math.sqrt(fields.hidden()), 1, 1);
        return fields.decoder(modelType(), maxPositions, true, stream,
                layer -> new LayerConfig(kinds.get(layer).equals(SLIDING) ? sliding : full, dense));
    }

    private static Grouped attention(FamilyFields fields, int headDim, RopeConfig rope) {
        JsonFields config = fields.config();
        boolean bias = config.flag("attention_bias", false);
        return new Grouped(fields.heads(), fields.kvHeads(4), headDim, bias, bias, QkNorm.HEADS, 0,
                (float) (1 / Math.sqrt(config.positive("query_pre_attn_scalar", 256))), 0, false, rope);
    }

    private static RopeConfig globalRope(JsonFields config, int headDim, int maxPositions) {
        JsonFields both = config.object("rope_parameters");
        JsonFields rope = both.has(FULL) ? both.object(FULL) : config.object("rope_scaling");
        return RopeReader.read(config, rope, headDim, maxPositions, config.positive("rope_theta", 1e6), 1);
    }

    private static RopeConfig localRope(JsonFields config, int headDim, int maxPositions) {
        return RopeReader.read(config, config.object("rope_parameters").object(SLIDING), headDim, maxPositions,
                config.positive("rope_local_base_freq", 10000), 1);
    }
}
