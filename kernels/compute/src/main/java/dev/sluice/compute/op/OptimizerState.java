package dev.sluice.compute.op;

import dev.sluice.compute.DType;

/// What an arena keeps of every parameter besides its exact float32 bits. The choice changes the numbers that are trained, a
/// little, so a run keeps to one.
public enum OptimizerState {
    /// Gradient sums and both moments in float32: 16 bytes a parameter in all.
    EXACT,
    /// Gradient sums in the backend's activation type and moments of one byte each: 8.03 bytes a parameter where activations
    /// are bfloat16, 10.03 where they are float32.
    ///
    /// Blocks of [#BLOCK] parameters share two float32 scales. The second moment v is an unsigned float of 5 exponent and 3
    /// mantissa bits below the block's largest: 0 only where v is 0, and what is smaller than 2^-31 of the largest is raised to
    /// that, so that no update can come out too large. The first moment is kept as the ratio m / sqrt(v) in steps of 1/127 of
    /// the block's largest: what is in error is the update itself, by less than a step, however different the gradients of a
    /// block are.
    ///
    /// Both round up or down by a hash of parameter and step, with the odds that make the expected value right. So the same
    /// steps give the same bits, and averages move even where a step changes them by less than a code. One rounding of v is
    /// off by at most 1/8; over a run the roundings add up to a spread of about a tenth in sqrt(v), that is, in the learning
    /// rate of a single parameter, around the right mean.
    LEAN;

    /// Parameters that share the scales of [#LEAN] moments.
    public static final int BLOCK = 256;

    /// Bytes of an arena. Devices may round the parameters up to a whole block.
    ///
    /// @param activations the backend's activation type
    public long bytes(long parameters, DType activations) {
        return switch (this) {
            case EXACT -> Math.multiplyExact(parameters, 4 * Float.BYTES);
            case LEAN -> Math.multiplyExact(parameters, Float.BYTES + activations.bytes() + 2)
                    + Math.ceilDiv(parameters, BLOCK) * 2 * Float.BYTES;
        };
    }
}
