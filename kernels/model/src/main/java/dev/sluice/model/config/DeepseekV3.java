package dev.sluice.model.config;

import dev.sluice.model.json.JsonFields;

/// DeepSeek-V3, R1 and V3.1. The layer for multi-token prediction comes after the decoder's and is not read.
final class DeepseekV3 implements Family {
    @Override
    public String modelType() {
        return "deepseek_v3";
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
        var attention = new LatentFields(fields, fields.heads(), 1536, 512, 64, 128, 128).read(maxPositions);
        int firstSparse = fields.layerIndex("first_k_dense_replace", 3);
        var experts = new SigmoidExperts(fields, 256, 8, 2048, 2.5);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-6)),
                experts.layers(attention, layer -> layer < firstSparse, 18432));
    }
}
