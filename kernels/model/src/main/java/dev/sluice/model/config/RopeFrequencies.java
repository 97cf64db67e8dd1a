package dev.sluice.model.config;

import dev.sluice.model.config.RopeConfig.Scaling;

/// Inverse frequencies of a rope, in float32 with transformers' order of operations, so that angles agree bit for bit
/// or nearly so.
///
/// @param inverse radians per position, one per rotated pair
/// @param attentionFactor multiplied into cos and sin
public record RopeFrequencies(float[] inverse, double attentionFactor) {
    public static RopeFrequencies of(RopeConfig rope) {
        float[] plain = plain(rope);
        return switch (rope.scaling()) {
            case Scaling.Default() -> new RopeFrequencies(plain, 1);
            case Scaling.Dynamic _ -> new RopeFrequencies(plain, 1);
            case Scaling.Linear(double factor) -> {
                for (int i = 0; i < plain.length; i++) {
                    plain[i] /= (float) factor;
                }
                yield new RopeFrequencies(plain, 1);
            }
            case Scaling.Yarn yarn -> new RopeFrequencies(yarn(rope, yarn), yarn.attentionFactor());
            case Scaling.Llama3 llama3 -> new RopeFrequencies(llama3(plain, llama3), 1);
        };
    }

    private static float[] plain(RopeConfig rope) {
        float[] inverse = new float[rope.rotated() / 2];
        for (int i = 0; i < inverse.length; i++) {
            inverse[i] = 1f / power(rope, i);
        }
        return inverse;
    }

    private static float power(RopeConfig rope, int pair) {
        return (float) Math.pow(rope.theta(), 2f * pair / rope.rotated());
    }

    private static float[] yarn(RopeConfig rope, Scaling.Yarn yarn) {
        double low = turns(rope, yarn, yarn.betaFast());
        double high = turns(rope, yarn, yarn.betaSlow());
        low = Math.max(yarn.truncate() ? Math.floor(low) : low, 0);
        high = Math.min(yarn.truncate() ? Math.ceil(high) : high, rope.rotated() - 1);
        double width = low == high ? 0.001 : high - low;
        float[] inverse = new float[rope.rotated() / 2];
        for (int i = 0; i < inverse.length; i++) {
            float power = power(rope, i);
            float ramp = Math.clamp((i - (float) low) / (float) width, 0f, 1f);
            float kept = 1 - ramp;
            inverse[i] = 1f / ((float) yarn.factor() * power) * (1 - kept) + 1f / power * kept;
        }
        return inverse;
    }

    /// The pair that makes that many turns over the original context.
    private static double turns(RopeConfig rope, Scaling.Yarn yarn, double turns) {
        return rope.rotated() * Math.log(yarn.originalPositions() / (turns * 2 * Math.PI)) / (2 * Math.log(rope.theta()));
    }

    private static float[] llama3(float[] inverse, Scaling.Llama3 llama3) {
        double longest = llama3.originalPositions() / llama3.lowFrequencyFactor();
        double shortest = llama3.originalPositions() / llama3.highFrequencyFactor();
        for (int i = 0; i < inverse.length; i++) {
            double wavelength = 2 * Math.PI / inverse[i];
            if (wavelength > longest) {
                inverse[i] /= (float) llama3.factor();
            } else if (wavelength >= shortest) {
                double smooth = (llama3.originalPositions() / wavelength - llama3.lowFrequencyFactor())
                        / (llama3.highFrequencyFactor() - llama3.lowFrequencyFactor());
                inverse[i] = (float) ((1 - smooth) * inverse[i] / llama3.factor() + smooth * inverse[i]);
            }
        }
        return inverse;
    }
}
