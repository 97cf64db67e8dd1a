package dev.sluice.model.config;

import dev.sluice.compute.op.GatedActivation;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.FeedForwardConfig.StackOrder;
import dev.sluice.model.json.JsonFields;
import java.util.Set;

/// The text part of Qwen3-VL Mixture-of-Experts. Without images all three coordinates of its rope are the position, so it
/// rotates like any other. The vision tower is not read.
final class Qwen3VlMoe implements Family {
    private static final String TEXT = "model.language_model.";

    @Override
    public String modelType() {
        return "qwen3_vl_moe";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA.withLayers(TEXT + "layers.%d.").with(DecoderModule.EMBEDDING, TEXT + "embed_tokens")
                .with(DecoderModule.FINAL_NORM, TEXT + "norm");
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        JsonFields text = config.object("text_config");
        var fields = new FamilyFields(text);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(128000);
        boolean bias = text.flag("attention_bias", false);
        var rope = RopeReader.read(text, fields.headDim(), maxPositions, 500000);
        var attention = fields.grouped(fields.kvHeads(fields.heads()), bias, bias, QkNorm.HEADS, rope);
        int experts = fields.anyExperts(text.spelling("num_experts", "num_local_experts"), 60);
        int sparseStep = fields.layers("decoder_sparse_step", 1);
        Set<Integer> dense = Qwen3Moe.denseLayers(text);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(text.positive("rms_norm_eps", 1e-6)),
                layer -> new LayerConfig(attention, experts > 0 && !dense.contains(layer) && (layer + 1) % sparseStep == 0
                        ? sparse(fields, experts) : new DenseConfig(fields.width("intermediate_size", 5632))))
                .withTiedEmbeddings(config.flag("tie_word_embeddings", false));
    }

    private static SparseConfig sparse(FamilyFields fields, int experts) {
        return new SparseConfig(RouterConfig.softmax(experts, fields.topK("num_experts_per_tok", experts, 4), true),
                new ExpertsConfig(fields.width("moe_intermediate_size", 1408), false, GatedActivation.SWIGLU, StackOrder.MAYBE_TRANSPOSED), null);
    }
}
