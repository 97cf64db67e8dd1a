package dev.sluice.model.config;

import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.json.JsonFields;

/// GLM-4.5, 4.5-Air, 4.6 and 4.7. The layers for multi-token prediction come after the decoder's and are not read.
final class Glm4Moe implements Family {
    @Override
    public String modelType() {
        return "glm4_moe";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(131072);
        var rope = RopeReader.read(config, fields.headDim(), maxPositions, 10000, 0.5);
        var attention = fields.grouped(fields.kvHeads(8), config.flag("attention_bias", false), false,
                config.flag("use_qk_norm", false) ? QkNorm.HEADS : QkNorm.NONE, rope);
        int firstSparse = fields.layerIndex("first_k_dense_replace", 1);
        var experts = new SigmoidExperts(fields, 128, 8, 1408, 1);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                experts.layers(attention, layer -> layer < firstSparse, 10944));
    }
}
