package dev.sluice.compute.cpu;

/// Moments of one byte, as [dev.sluice.compute.op.OptimizerState#LEAN] describes them.
///
/// A variance is cut to the upper [#VARIANCE_BITS] of its float32 bits; they count up as the number does. The code is how
/// far that count lies above the block's base, 255 below the count of the block's largest.
final class EightBits {
    /// Sign, exponent and three bits of the mantissa are kept of 32.
    static final int VARIANCE_SHIFT = 20;
    /// Count of the largest finite number, and that before the smallest normal one: decoded variances are 0 or normal.
    private static final int LARGEST = 0x7f7;
    private static final int LEAST_BASE = 7;
    private static final int CODES = 255;
    private static final float MEAN_STEPS = 127;
    /// Ratios below are as good as none: their inverse would overflow.
    private static final float LEAST_RATIO = 1e-30f;
    private static final int MEAN_DITHER = 12;
    /// 1.5 * 2^23: added to a small float32, it rounds that to an integer in its lowest bits.
    private static final float INTEGER = 0x1.8p23f;

    private EightBits() {}

    /// Random bits of a step, to be mixed with a parameter's index.
    static int seed(long step, long index) {
        return mix((int) step + 0x9E3779B9 * (int) (index >>> Integer.SIZE));
    }

    static int dither(int seed, long index) {
        return mix((int) index ^ seed);
    }

    /// The finaliser of MurmurHash3: every bit of the result depends on every bit of x.
    private static int mix(int x) {
        int h = (x ^ x >>> 16) * 0x85EBCA6B;
        h = (h ^ h >>> 13) * 0xC2B2AE35;
        return h ^ h >>> 16;
    }

    /// The count of a variance, at least 0, rounded up with the odds of what is cut off.
    static int count(float variance, int dither) {
        return Math.min(Float.floatToRawIntBits(variance) + (dither >>> Integer.SIZE - VARIANCE_SHIFT) >>> VARIANCE_SHIFT, LARGEST);
    }

    /// A block's base, from its largest count.
    static int base(int largest) {
        return Math.max(largest - CODES, LEAST_BASE);
    }

    static int baseOf(float scale) {
        return base(Float.floatToRawIntBits(scale) >>> VARIANCE_SHIFT);
    }

    static float scale(int largest) {
        return Float.intBitsToFloat(largest << VARIANCE_SHIFT);
    }

    /// 0 only where the variance is 0.
    static int varianceCode(float variance, int count, int base) {
        return variance == 0 ? 0 : Math.max(count - base, 1);
    }

    static float variance(int code, int base) {
        return code == 0 ? 0 : Float.intBitsToFloat(base + code << VARIANCE_SHIFT);
    }

    /// Steps in a unit of m / sqrt(v), from the block's largest; 0 where there is nothing to keep.
    static float stepsPerUnit(float largest) {
        return largest < LEAST_RATIO ? 0 : MEAN_STEPS / largest;
    }

    /// -127 to 127.
    static int meanCode(float ratio, float stepsPerUnit, int dither) {
        float share = ((dither & (1 << MEAN_DITHER) - 1) + 0.5f) / (1 << MEAN_DITHER) - 0.5f;
        return Float.floatToRawIntBits(ratio * stepsPerUnit + share + INTEGER) << 24 >> 24;
    }

    static float ratio(int code, float scale) {
        return code * (scale / MEAN_STEPS);
    }
}
