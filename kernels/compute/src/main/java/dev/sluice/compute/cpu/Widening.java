package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.Tensor;

/// Exact conversion of a stored float type to float32.
enum Widening {
    FLOAT32 {
        @Override
        void widen(long from, int count, long to) {
            Memory.copy(from, to, 4L * count);
        }
    },
    BFLOAT16 {
        @Override
        void widen(long from, int count, long to) {
            for (int i = 0; i < count; i++) {
                Memory.setInt(at(to, i), Memory.getShort(from + 2L * i) << 16);
            }
        }
    },
    FLOAT16 {
        @Override
        void widen(long from, int count, long to) {
            for (int i = 0; i < count; i++) {
                Memory.set(at(to, i), Float.float16ToFloat(Memory.getShort(from + 2L * i)));
            }
        }
    };

    abstract void widen(long from, int count, long to);

    static Widening of(String operation, Tensor tensor) {
        return switch (tensor.dtype()) {
            case FLOAT32 -> FLOAT32;
            case BFLOAT16 -> BFLOAT16;
            case FLOAT16 -> FLOAT16;
            case INT32, UINT8 -> throw new IllegalArgumentException(operation + ": " + tensor + " should be a float type");
        };
    }
}
