package dev.sluice.model.config;

import dev.sluice.model.json.JsonFields;
import java.util.function.IntPredicate;

/// GLM-4.7-Flash. The layer for multi-token prediction comes after the decoder's and is not read.
final class Glm4MoeLite implements Family {
    @Override
    public String modelType() {
        return "glm4_moe_lite";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(202752);
        var attention = new LatentFields(fields, 20, 768, 512, 64, 192, 256).read(maxPositions);
        IntPredicate dense = fields.denseByType(layer -> layer == 0);
        var experts = new SigmoidExperts(fields, 64, 4, 1536, 1.8);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                experts.layers(attention, dense, 10240));
    }
}
