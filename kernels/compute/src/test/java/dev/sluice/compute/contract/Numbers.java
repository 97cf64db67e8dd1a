package dev.sluice.compute.contract;

import dev.sluice.compute.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Host numbers to and from the bytes of a tensor.
final class Numbers {
    private Numbers() {}

    /// The nearest number of that type.
    static double round(double number, DType dtype) {
        return decode(encode(number, dtype), dtype);
    }

    static int encode(double number, DType dtype) {
        return switch (dtype) {
            case FLOAT32 -> Float.floatToRawIntBits((float) number);
            case BFLOAT16 -> bfloat16((float) number);
            case FLOAT16 -> Float.floatToFloat16((float) number);
            case INT32, UINT8 -> (int) number;
        };
    }

    /// Round to nearest, ties to even; NaN stays one.
    private static int bfloat16(float number) {
        int bits = Float.floatToRawIntBits(number);
        return Float.isNaN(number) ? 0x7fc0 : bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
    }

    static double decode(int bits, DType dtype) {
        return switch (dtype) {
            case FLOAT32 -> Float.intBitsToFloat(bits);
            case BFLOAT16 -> Float.intBitsToFloat(bits << 16);
            case FLOAT16 -> Float.float16ToFloat((short) bits);
            case INT32 -> bits;
            case UINT8 -> bits & 0xff;
        };
    }

    static MemorySegment encode(double[] numbers, DType dtype, Arena arena) {
        var memory = arena.allocate(dtype.bytes(numbers.length), 64);
        for (int i = 0; i < numbers.length; i++) {
            int bits = encode(numbers[i], dtype);
            switch (dtype.bytes()) {
                case 4 -> memory.setAtIndex(ValueLayout.JAVA_INT, i, bits);
                case 2 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) bits);
                default -> memory.set(ValueLayout.JAVA_BYTE, i, (byte) bits);
            }
        }
        return memory;
    }

    static double[] decode(MemorySegment memory, DType dtype) {
        double[] numbers = new double[Math.toIntExact(memory.byteSize() / dtype.bytes())];
        for (int i = 0; i < numbers.length; i++) {
            int bits = switch (dtype.bytes()) {
                case 4 -> memory.getAtIndex(ValueLayout.JAVA_INT, i);
                case 2 -> memory.getAtIndex(ValueLayout.JAVA_SHORT, i);
                default -> memory.get(ValueLayout.JAVA_BYTE, i);
            };
            numbers[i] = decode(bits, dtype);
        }
        return numbers;
    }
}
