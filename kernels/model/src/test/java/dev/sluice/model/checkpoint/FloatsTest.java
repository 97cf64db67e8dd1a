package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.DType;
import dev.sluice.model.safetensors.ElementType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class FloatsTest {
    @Test
    void eightBitFloatsHaveTheirSpecifiedValues() {
        byte[] codes = {0, 1, 7, 8, 0x38, 0x39, 0x7e, (byte) 0x80, (byte) 0xb8, (byte) 0xfe};
        float[] values = new float[codes.length];
        Floats.decode(ElementType.F8_E4M3, MemorySegment.ofArray(codes), 0, values);
        assertArrayEquals(new float[] {0, 1 / 512f, 7 / 512f, 1 / 64f, 1, 1.125f, 448, -0f, -1, -448}, values);
        Floats.decode(ElementType.F8_E4M3, MemorySegment.ofArray(new byte[] {0x7f}), 0, values = new float[1]);
        assertTrue(Float.isNaN(values[0]));
    }

    @Test
    void bfloat16RoundsToNearestEvenAndKeepsNaN() {
        assertEquals((short) 0x3f80, Floats.bfloat16(1f));
        assertEquals((short) 0x3f80, Floats.bfloat16(Float.intBitsToFloat(0x3f808000)));
        assertEquals((short) 0x3f82, Floats.bfloat16(Float.intBitsToFloat(0x3f818000)));
        assertEquals((short) 0x3f81, Floats.bfloat16(Float.intBitsToFloat(0x3f808001)));
        assertEquals((short) 0x7f80, Floats.bfloat16(Float.MAX_VALUE));
        assertTrue(Float.isNaN(Float.intBitsToFloat(Floats.bfloat16(Float.intBitsToFloat(0x7f800001)) << 16)));
    }

    @Test
    void halvesSurviveARoundTrip() {
        float[] numbers = {0, 1.5f, -2.25f, 65504, 6e-8f};
        byte[] bytes = new byte[2 * numbers.length];
        for (var type : new DType[] {DType.FLOAT16, DType.BFLOAT16}) {
            Floats.encode(type, numbers, MemorySegment.ofArray(bytes), 0);
            float[] read = new float[numbers.length];
            Floats.decode(Floats.stored(type), MemorySegment.ofArray(bytes), 0, read);
            for (int i = 0; i < numbers.length; i++) {
                assertEquals(numbers[i], read[i], Math.abs(numbers[i]) / 128 + 1e-8);
            }
        }
    }

    @Test
    void blockScalesReachRaggedEdges() {
        assertArrayEquals(new long[] {3, 2, 1}, BlockScales.shape(3, 129, 128));
        var scales = new BlockScales(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 130, 200);
        float[] row = new float[200];
        Arrays.fill(row, 1);
        scales.apply(130 + 129, row);
        assertEquals(7, row[127]);
        assertEquals(8, row[128]);
        assertEquals(8, row[199]);
    }
}
