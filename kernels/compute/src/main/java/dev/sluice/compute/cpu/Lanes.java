package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;

/// Vector arithmetic whose bits do not depend on how far the JIT has come.
///
/// `reduceLanes(ADD)` leaves the order of the additions open, and the interpreter's differs from compiled code's:
/// [#sum] fixes it by halving.
final class Lanes {
    /// One constant each: the compiler folds a constant shuffle, but not an element of a constant array.
    private static final VectorShuffle<Float> BY_32 = rotation(32);
    private static final VectorShuffle<Float> BY_16 = rotation(16);
    private static final VectorShuffle<Float> BY_8 = rotation(8);
    private static final VectorShuffle<Float> BY_4 = rotation(4);
    private static final VectorShuffle<Float> BY_2 = rotation(2);
    private static final VectorShuffle<Float> BY_1 = rotation(1);
    private static final float LOG2_E = 1.44269504f;
    /// ln 2 in two parts; the first has few enough bits that its product with an exponent is exact.
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    /// Adding it rounds to the nearest integer and leaves that in the low mantissa bits.
    private static final float ROUNDER = 12582912f;
    /// Below it exp is 0 here: subnormal results are flushed.
    private static final float EXP_MIN = -87.33654f;
    private static final float EXP_MAX = 88.37626f;

    private Lanes() {}

    private static VectorShuffle<Float> rotation(int distance) {
        return VectorShuffle.fromOp(SPECIES, lane -> (lane + distance) % LANES);
    }

    /// Sum of the lanes: upper half onto lower half until one is left.
    static float sum(FloatVector vector) {
        FloatVector folded = vector;
        folded = LANES > 32 ? folded.add(folded.rearrange(BY_32)) : folded;
        folded = LANES > 16 ? folded.add(folded.rearrange(BY_16)) : folded;
        folded = LANES > 8 ? folded.add(folded.rearrange(BY_8)) : folded;
        folded = LANES > 4 ? folded.add(folded.rearrange(BY_4)) : folded;
        folded = LANES > 2 ? folded.add(folded.rearrange(BY_2)) : folded;
        return folded.add(folded.rearrange(BY_1)).lane(0);
    }

    /// Largest lane; order does not matter to a maximum.
    static float max(FloatVector vector) {
        return vector.reduceLanes(VectorOperators.MAX);
    }

    /// e^x to about 2 units in the last place; 0 below -87.3, the largest finite results above 88.3, NaN for NaN.
    static FloatVector exp(FloatVector x) {
        FloatVector bounded = x.min(EXP_MAX).max(EXP_MIN);
        FloatVector shifted = bounded.fma(FloatVector.broadcast(SPECIES, LOG2_E), FloatVector.broadcast(SPECIES, ROUNDER));
        FloatVector exponent = shifted.sub(ROUNDER);
        FloatVector r = exponent.fma(FloatVector.broadcast(SPECIES, -LN2_HIGH), bounded);
        r = exponent.fma(FloatVector.broadcast(SPECIES, -LN2_LOW), r);
        FloatVector p = r.fma(FloatVector.broadcast(SPECIES, 1.9875691500e-4f), FloatVector.broadcast(SPECIES, 1.3981999507e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 8.3334519073e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 4.1665795894e-2f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1.6666665459e-1f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 5.0000001201e-1f));
        p = p.fma(r.mul(r), r).add(1f);
        var bits = shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
        FloatVector result = p.reinterpretAsInts().add(bits).reinterpretAsFloats();
        return result.blend(0f, x.compare(VectorOperators.LT, EXP_MIN));
    }

    /// The same polynomial for the tail of a row.
    static float exp(float x) {
        if (x < EXP_MIN) {
            return 0f;
        }
        float bounded = Math.max(Math.min(x, EXP_MAX), EXP_MIN);
        float shifted = Math.fma(bounded, LOG2_E, ROUNDER);
        float exponent = shifted - ROUNDER;
        float r = Math.fma(exponent, -LN2_HIGH, bounded);
        r = Math.fma(exponent, -LN2_LOW, r);
        float p = Math.fma(r, 1.9875691500e-4f, 1.3981999507e-3f);
        p = Math.fma(p, r, 8.3334519073e-3f);
        p = Math.fma(p, r, 4.1665795894e-2f);
        p = Math.fma(p, r, 1.6666665459e-1f);
        p = Math.fma(p, r, 5.0000001201e-1f);
        p = Math.fma(p, r * r, r) + 1f;
        return Float.intBitsToFloat(Float.floatToRawIntBits(p) + (Float.floatToRawIntBits(shifted) << 23));
    }
}
