package dev.sluice.model.config;

import dev.sluice.compute.op.RotaryOps.Pairing;
import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.json.JsonFields;

/// Reads multi-head latent attention. The families differ in their defaults only.
///
/// @param queryRank default of `q_lora_rank`, as the others are of their fields; a `null` in the file means none
record LatentFields(FamilyFields fields, int kvHeads, int queryRank, int kvRank, int rotated, int plain, int value) {
    Latent read(int maxPositions) {
        JsonFields config = fields.config();
        int heads = fields.heads();
        if (fields.kvHeads(kvHeads) != heads) {
            throw config.wrong("num_key_value_heads", "num_attention_heads " + heads + ": latent attention has no groups",
                    config.get("num_key_value_heads"));
        }
        int rope = fields.width("qk_rope_head_dim", rotated);
        int nope = fields.width("qk_nope_head_dim", plain);
        boolean direct = config.names().contains("q_lora_rank") && !config.has("q_lora_rank");
        Pairing pairing = config.flag("rope_interleave", true) ? Pairing.INTERLEAVED : Pairing.HALVES;
        return new Latent(heads, direct ? 0 : fields.width("q_lora_rank", queryRank), fields.width("kv_lora_rank", kvRank),
                nope, fields.width("v_head_dim", value), config.flag("attention_bias", false),
                (float) (magnitude(config, maxPositions) / Math.sqrt(nope + rope)), 0,
                RopeReader.read(config, rope, maxPositions, 10000).with(pairing));
    }

    /// A stretched rope also changes the scale of the scores.
    private static double magnitude(JsonFields config, int maxPositions) {
        JsonFields rope = config.object(config.spelling("rope_parameters", "rope_scaling"));
        boolean stretched = !rope.text(rope.spelling("rope_type", "type"), "default").equals("default");
        if (!stretched || !rope.has("mscale_all_dim") || rope.get("mscale_all_dim").doubleValue() == 0) {
            return 1;
        }
        double magnitude = RopeReader.magnitude(rope.positive("factor"), rope.positive("mscale_all_dim"));
        return magnitude * magnitude;
    }
}
