package dev.sluice.compute.probe;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Numbers on their way between Java and a tensor of a type that backends compute in.
final class HostNumbers {
    private HostNumbers() {}

    static MemorySegment encode(DType dtype, float[] values, Arena arena) {
        MemorySegment memory = arena.allocate(dtype.bytes(values.length), Long.BYTES);
        for (int i = 0; i < values.length; i++) {
            set(memory, dtype, i, values[i]);
        }
        return memory;
    }

    private static void set(MemorySegment memory, DType dtype, int i, float value) {
        switch (dtype) {
            case FLOAT32 -> memory.setAtIndex(ValueLayout.JAVA_FLOAT, i, value);
            case BFLOAT16 -> memory.setAtIndex(ValueLayout.JAVA_SHORT, i, bfloat16(value));
            case FLOAT16, INT32, UINT8 -> throw new IllegalArgumentException("no backend computes in " + dtype);
        }
    }

    private static double get(MemorySegment memory, DType dtype, int i) {
        return switch (dtype) {
            case FLOAT32 -> memory.getAtIndex(ValueLayout.JAVA_FLOAT, i);
            case BFLOAT16 -> Float.intBitsToFloat(memory.getAtIndex(ValueLayout.JAVA_SHORT, i) << 16);
            case INT32 -> memory.getAtIndex(ValueLayout.JAVA_INT, i);
            case FLOAT16, UINT8 -> throw new IllegalArgumentException("no backend computes in " + dtype);
        };
    }

    /// Nearest, ties to even; NaN stays NaN.
    private static short bfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.isNaN(value) ? (short) 0x7fc0 : (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }

    /// The nearest numbers of a type.
    static void round(DType dtype, float[] values) {
        if (dtype == DType.BFLOAT16) {
            for (int i = 0; i < values.length; i++) {
                values[i] = Float.intBitsToFloat(bfloat16(values[i]) << 16);
            }
        }
    }

    /// A tensor's numbers, after everything that writes them has finished.
    static double[] read(Backend backend, Tensor tensor) {
        double[] values = new double[Math.toIntExact(tensor.elements())];
        try (var arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(Math.max(1, tensor.bytes()), Long.BYTES).asSlice(0, tensor.bytes());
            backend.download(tensor, memory);
            for (int i = 0; i < values.length; i++) {
                values[i] = get(memory, tensor.dtype(), i);
            }
        }
        return values;
    }
}
