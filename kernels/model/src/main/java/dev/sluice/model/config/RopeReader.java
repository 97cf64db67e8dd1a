package dev.sluice.model.config;

import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.RopeConfig.Scaling;
import dev.sluice.model.json.JsonFields;

/// Reads a rope description in the spelling of hub configurations before and after version 5 of transformers:
/// `rope_theta` with `rope_scaling`, or both in `rope_parameters`.
final class RopeReader {
    private static final int MANY = 1 << 30;

    private RopeReader() {}

    static RopeConfig read(JsonFields config, int headDim, int maxPositions, double defaultTheta) {
        return read(config, headDim, maxPositions, defaultTheta, 1);
    }

    /// @param defaultShare share of a head that is rotated where the configuration does not say it
    static RopeConfig read(JsonFields config, int headDim, int maxPositions, double defaultTheta, double defaultShare) {
        JsonFields rope = config.object(config.spelling("rope_parameters", "rope_scaling"));
        return read(config, rope, headDim, maxPositions, config.positive("rope_theta", defaultTheta), defaultShare);
    }

    /// @param rope the object that describes the rope
    static RopeConfig read(JsonFields config, JsonFields rope, int headDim, int maxPositions, double defaultTheta,
            double defaultShare) {
        double theta = rope.positive("rope_theta", defaultTheta);
        double partial = rope.positive("partial_rotary_factor", config.positive("partial_rotary_factor", defaultShare));
        int rotated = (int) (headDim * partial);
        if (rotated < 2 || rotated % 2 != 0 || rotated > headDim) {
            throw config.wrong("partial_rotary_factor", "a share of head_dim " + headDim + " that is even and at least 2",
                    config.get("partial_rotary_factor"));
        }
        return new RopeConfig(theta, rotated, scaling(rope, maxPositions));
    }

    private static Scaling scaling(JsonFields rope, int maxPositions) {
        String kind = rope.text(rope.spelling("rope_type", "type"), "default");
        return switch (kind) {
            case "default" -> new Scaling.Default();
            case "linear" -> new Scaling.Linear(rope.positive("factor"));
            case "dynamic" -> new Scaling.Dynamic(rope.positive("factor"), maxPositions);
            case "yarn" -> yarn(rope, maxPositions);
            case "llama3" -> new Scaling.Llama3(rope.positive("factor"), rope.positive("low_freq_factor"),
                    rope.positive("high_freq_factor"), original(rope, maxPositions));
            default -> throw new UnsupportedModelException(rope.file() + ": rope type " + kind
                    + " is not supported; known are default, linear, dynamic, yarn, llama3");
        };
    }

    private static Scaling yarn(JsonFields rope, int maxPositions) {
        int original = original(rope, maxPositions);
        double factor = rope.positive("factor", (double) maxPositions / original);
        double inferred = rope.has("mscale") && rope.has("mscale_all_dim")
                ? magnitude(factor, rope.positive("mscale")) / magnitude(factor, rope.positive("mscale_all_dim"))
                : magnitude(factor, 1);
        return new Scaling.Yarn(factor, rope.positive("attention_factor", inferred), rope.positive("beta_fast", 32),
                rope.positive("beta_slow", 1), original, rope.flag("truncate", true));
    }

    /// What YaRN multiplies cos and sin with. Source: Peng et al. 2023, section 3.4.
    static double magnitude(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private static int original(JsonFields rope, int maxPositions) {
        return rope.count("original_max_position_embeddings", MANY, maxPositions);
    }
}
