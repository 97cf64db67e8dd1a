package dev.sluice.model.config;

import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.json.JsonFields;
import java.util.List;

/// GLM-4.7-Flash. The layer for multi-token prediction comes after the decoder's and is not read.
final class Glm4MoeLite implements Family {
    private static final String DENSE = "dense";
    private static final String SPARSE = "sparse";

    @Override
    public String modelType() {
        return "glm4_moe_lite";
    }

    @Override
    public TensorNames names() {
        return TensorNames.LLAMA;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        int maxPositions = fields.positions(202752);
        var attention = new LatentFields(fields, 20, 768, 512, 64, 192, 256).read(maxPositions);
        List<String> kinds = fields.perLayer("mlp_layer_types", List.of(DENSE, SPARSE), layer -> layer == 0 ? DENSE : SPARSE);
        var experts = new SigmoidExperts(fields, 64, 4, 1536, 1.8);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-5)),
                layer -> new LayerConfig(attention, kinds.get(layer).equals(DENSE)
                        ? new DenseConfig(fields.width("intermediate_size", 10240)) : experts.read()));
    }
}
