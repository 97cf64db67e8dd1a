package dev.sluice.compute;

import java.util.Arrays;

/// The two tables of [Packing#NF4]: what the 4-bit codes of numbers and the 8-bit codes of their scales stand for.
public final class Nf4 {
    /// Most scales that share a factor and an offset.
    public static final int GROUP = 256;

    /// Equally likely intervals of a normal distribution, zero among them. Source: Dettmers et al. 2023, QLoRA, appendix E.
    private static final float[] NUMBERS = {-1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f, 0.07958029955625534f, 0.16093020141124725f,
        0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f};
    private static final float[] SCALES = dynamic();

    private Nf4() {}

    /// The 16 numbers in ascending order, as a copy.
    public static float[] numbers() {
        return NUMBERS.clone();
    }

    /// The 256 scales in ascending order, as a copy.
    public static float[] scales() {
        return SCALES.clone();
    }

    /// Dynamic floats of a sign and 7 bits: the fewer of them the decimal exponent takes, the more are left for the fraction.
    /// Source: Dettmers 2015, 8-bit approximations for parallelism in deep learning, section 3.
    private static float[] dynamic() {
        float[] table = new float[256];
        int count = 0;
        for (int bits = 0; bits < 7; bits++) {
            float unit = (float) Math.pow(10, bits - 6);
            int fractions = 1 << bits;
            for (int i = 0; i < fractions; i++) {
                float middle = (boundary(i, fractions) + boundary(i + 1, fractions)) / 2;
                table[count++] = unit * middle;
                table[count++] = -unit * middle;
            }
        }
        table[count++] = 0;
        table[count] = 1;
        Arrays.sort(table);
        return table;
    }

    /// Place i of n + 1 equally spaced ones from 0.1 to 1, counted from the nearer end.
    private static float boundary(int i, int n) {
        float step = (1f - 0.1f) / n;
        return i < (n + 1) / 2 ? Math.fma(step, i, 0.1f) : Math.fma(-step, n - i, 1f);
    }
}
