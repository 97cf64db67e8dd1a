package dev.sluice.model.config;

import dev.sluice.compute.op.RotaryOps.Pairing;

/// Rotary position embedding of a model: which frequencies it rotates with.
///
/// @param rotated elements of a head that are rotated
/// @param pairing which of them form a pair
public record RopeConfig(double theta, int rotated, Scaling scaling, Pairing pairing) {
    /// A rope that rotates the halves of a head against each other.
    public RopeConfig(double theta, int rotated, Scaling scaling) {
        this(theta, rotated, scaling, Pairing.HALVES);
    }

    public RopeConfig {
        if (rotated < 2 || rotated % 2 != 0) {
            throw new IllegalArgumentException("rope: the rotated width must be even and at least 2, was " + rotated);
        }
    }

    /// The same frequencies, applied to other pairs.
    RopeConfig with(Pairing other) {
        return new RopeConfig(theta, rotated, scaling, other);
    }

    /// How the frequencies were stretched for longer contexts. Names and formulas are transformers'.
    public sealed interface Scaling {
        /// Not at all.
        record Default() implements Scaling {}

        /// Positions divided by `factor`.
        record Linear(double factor) implements Scaling {}

        /// Unchanged up to `maxPositions`; a longer sequence would change the frequencies of all its tokens.
        record Dynamic(double factor, int maxPositions) implements Scaling {}

        /// Peng et al. 2023: low frequencies interpolated, high ones kept, a ramp between.
        ///
        /// @param attentionFactor multiplied into cos and sin
        record Yarn(double factor, double attentionFactor, double betaFast, double betaSlow, int originalPositions,
                boolean truncate) implements Scaling {}

        /// Llama 3.1: as Yarn with a ramp over wavelengths.
        record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalPositions)
                implements Scaling {}
    }
}
