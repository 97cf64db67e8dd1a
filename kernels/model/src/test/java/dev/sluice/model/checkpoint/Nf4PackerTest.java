package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.sluice.compute.Nf4;
import dev.sluice.model.Tensors;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Nf4PackerTest {
    private static final int ROWS = 64;
    private static final int COLUMNS = 512;

    /// The numbers on the right are what bitsandbytes 0.50 makes of the same matrix.
    @Test
    void codesAndScalesAreThoseOfBitsandbytes() {
        Nf4Matrix packed = new Nf4Packer(ROWS, COLUMNS, 256).pack(Nf4PackerTest::pseudorandom, 0);
        assertEquals(1258356851, Arrays.hashCode(packed.codes().toArray(ValueLayout.JAVA_BYTE)));
        assertEquals(165360233, Arrays.hashCode(packed.scales().toArray(ValueLayout.JAVA_BYTE)));
        assertArrayEquals(new float[] {0.9762712717056274f, 1.0069385766983032f, 0.9881175756454468f, 1.0069385766983032f},
                packed.groups(), 2e-6f);
    }

    /// Rows of different size, of numbers that every language rounds alike.
    private static void pseudorandom(long row, float[] values) {
        for (int column = 0; column < values.length; column++) {
            long index = row * values.length + column;
            int bits = (int) ((index * 2654435761L + 12345 & 0xffffffffL) >>> 16) - 32768;
            values[column] = bits / (float) (1 << 20) * (row + 1);
        }
    }

    /// A normal distribution loses 9 % in 4 bits; finer groups of scales do not lose more.
    @ParameterizedTest
    @ValueSource(ints = {1, 8, 256})
    void normalNumbersComeBackWithinNineAndAHalfPercent(int groupSize) {
        var random = new Random(3);
        float[] numbers = new float[ROWS * COLUMNS];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (float) random.nextGaussian() * 0.02f;
        }
        Nf4Matrix packed = new Nf4Packer(ROWS, COLUMNS, groupSize).pack(rows(numbers), 0);
        assertEquals(0.092, Tensors.relativeError(numbers, unpacked(packed, groupSize)), 0.003);
    }

    @Test
    void zerosStayZero() {
        Nf4Matrix packed = new Nf4Packer(4, 64, 4).pack((row, values) -> Arrays.fill(values, 0), 0);
        assertArrayEquals(new float[256], unpacked(packed, 4));
    }

    private static StoredRows rows(float[] numbers) {
        return (row, values) -> System.arraycopy(numbers, (int) row * values.length, values, 0, values.length);
    }

    /// What a matrix stands for.
    static float[] unpacked(Nf4Matrix matrix, int groupSize) {
        byte[] codes = matrix.codes().toArray(ValueLayout.JAVA_BYTE);
        byte[] scales = matrix.scales().toArray(ValueLayout.JAVA_BYTE);
        float[] numbers = new float[codes.length * 2];
        for (int i = 0; i < numbers.length; i++) {
            int scale = i / 64;
            float factor = Nf4.scales()[scales[scale] & 255] * matrix.groups()[scale / groupSize * 2]
                    + matrix.groups()[scale / groupSize * 2 + 1];
            numbers[i] = Nf4.numbers()[codes[i / 2] >> (1 - i % 2) * 4 & 15] * factor;
        }
        return numbers;
    }
}
