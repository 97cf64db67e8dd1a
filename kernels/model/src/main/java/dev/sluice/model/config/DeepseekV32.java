package dev.sluice.model.config;

import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.json.JsonFields;
import java.util.function.IntPredicate;

/// DeepSeek-V3.2: V3 with an indexer that chooses `index_topk` keys for every query. It is not implemented; documents up to
/// that length, in which it chooses all keys, are exact, and longer ones are refused. Neither the indexer's tensors nor
/// the layer for multi-token prediction, which comes after the decoder's, are read.
final class DeepseekV32 implements Family {
    private static final int LARGEST_INDEX = 1 << 30;

    @Override
    public String modelType() {
        return "deepseek_v32";
    }

    @Override
    public boolean peftStacksExperts() {
        return true;
    }

    @Override
    public DecoderConfig read(JsonFields config) {
        var fields = new FamilyFields(config);
        fields.requireText("hidden_act", "silu");
        fields.requireUnused("mlp_bias");
        fields.require(config.flag("rope_interleave", true), "rope_interleave false is not supported; known is true");
        int maxPositions = fields.positions(163840);
        Latent attention = new LatentFields(fields, 128, 1536, 512, 64, 128, 128).read(maxPositions)
                .withLongest(config.count("index_topk", LARGEST_INDEX, 2048));
        int firstSparse = fields.layerIndex("first_k_dense_replace", 3);
        IntPredicate dense = fields.denseByType(layer -> layer < firstSparse);
        var experts = new SigmoidExperts(fields, 256, 8, 2048, 2.5);
        return fields.decoder(modelType(), maxPositions, false, StreamConfig.plain(config.positive("rms_norm_eps", 1e-6)),
                experts.layers(attention, dense, 18432));
    }
}
