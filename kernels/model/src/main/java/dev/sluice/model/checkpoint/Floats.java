package dev.sluice.model.checkpoint;

import dev.sluice.compute.DType;
import dev.sluice.model.safetensors.ElementType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Number formats: any stored float to float32, and float32 to what a backend computes in. Stored numbers are
/// little-endian and may be unaligned.
public final class Floats {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final float[] E4M3 = e4m3();

    private Floats() {}

    /// Reads `out.length` numbers that begin at element `first`.
    ///
    /// @throws IllegalArgumentException if the type is not a supported float
    public static void decode(ElementType type, MemorySegment stored, long first, float[] out) {
        switch (type) {
            case F32 -> MemorySegment.copy(stored, FLOAT, first * Float.BYTES, out, 0, out.length);
            case BF16 -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = Float.intBitsToFloat(stored.get(SHORT, (first + i) * Short.BYTES) << 16);
                }
            }
            case F16 -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = Float.float16ToFloat(stored.get(SHORT, (first + i) * Short.BYTES));
                }
            }
            case F8_E4M3 -> {
                for (int i = 0; i < out.length; i++) {
                    out[i] = E4M3[Byte.toUnsignedInt(stored.get(ValueLayout.JAVA_BYTE, first + i))];
                }
            }
            case F64, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
                    throw new IllegalArgumentException(type + " is not a supported float type");
        }
    }

    /// Writes numbers from element `first` on, rounded to nearest even.
    ///
    /// @throws IllegalArgumentException if the type is not a float
    public static void encode(DType type, float[] values, MemorySegment target, long first) {
        switch (type) {
            case FLOAT32 -> MemorySegment.copy(values, 0, target, FLOAT, first * Float.BYTES, values.length);
            case BFLOAT16 -> {
                for (int i = 0; i < values.length; i++) {
                    target.set(SHORT, (first + i) * Short.BYTES, bfloat16(values[i]));
                }
            }
            case FLOAT16 -> {
                for (int i = 0; i < values.length; i++) {
                    target.set(SHORT, (first + i) * Short.BYTES, Float.floatToFloat16(values[i]));
                }
            }
            case INT32, UINT8 -> throw new IllegalArgumentException(type + " is not a float type");
        }
    }

    /// The stored type that has the same bits as a backend's.
    public static ElementType stored(DType type) {
        return switch (type) {
            case FLOAT32 -> ElementType.F32;
            case BFLOAT16 -> ElementType.BF16;
            case FLOAT16 -> ElementType.F16;
            case INT32 -> ElementType.I32;
            case UINT8 -> ElementType.U8;
        };
    }

    /// The backend type that has the same bits as a stored float.
    ///
    /// @throws IllegalArgumentException if there is none
    static DType computed(ElementType type) {
        return switch (type) {
            case F32 -> DType.FLOAT32;
            case BF16 -> DType.BFLOAT16;
            case F16 -> DType.FLOAT16;
            case F64, F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL ->
                    throw new IllegalArgumentException(type + " is not a type that weights are merged in");
        };
    }

    /// Nearest bfloat16, ties to even; NaN stays NaN.
    static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return value != value ? (short) (bits >>> 16 | 0x40) : (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /// 8-bit float, 4 exponent bits of bias 7, 3 mantissa bits, no infinities. Source: Micikevicius et al. 2022.
    private static float[] e4m3() {
        float[] table = new float[256];
        for (int code = 0; code < table.length; code++) {
            int exponent = code >> 3 & 15;
            int mantissa = code & 7;
            float magnitude = exponent == 0 ? Math.scalb((float) mantissa, -9) : Math.scalb(8f + mantissa, exponent - 10);
            table[code] = (code & 127) == 127 ? Float.NaN : code > 127 ? -magnitude : magnitude;
        }
        return table;
    }
}
