package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Parameters whose exact float32 bits are kept in two halves: the bf16 number nearest to it, which kernels multiply with, and the
/// signed 16-bit rest.
///
/// @param values BFLOAT16 [size], the upper half, rounded to nearest with ties away from zero
/// @param low UINT8 [size, 2], the rest: bits - (upper << 16), a little-endian int16 each
record SplitParameters(Device device, Memory memory, Tensor values, Tensor low) {
    private static final int HOST_CHUNK = 1 << 20;

    long size() {
        return values.elements();
    }

    void write(MemorySegment float32) {
        check("write", float32);
        try (var host = Arena.ofConfined()) {
            var high = host.allocate(JAVA_SHORT, HOST_CHUNK);
            var rest = host.allocate(JAVA_SHORT, HOST_CHUNK);
            for (long first = 0; first < size(); first += HOST_CHUNK) {
                int count = (int) Math.min(HOST_CHUNK, size() - first);
                for (int i = 0; i < count; i++) {
                    int bits = float32.get(JAVA_INT_UNALIGNED, (first + i) * 4);
                    int top = bits + 0x8000 >>> 16;
                    high.setAtIndex(JAVA_SHORT, i, (short) top);
                    rest.setAtIndex(JAVA_SHORT, i, (short) (bits - (top << 16)));
                }
                memory.upload(high.asSlice(0, 2L * count), values.address() + 2 * first);
                memory.upload(rest.asSlice(0, 2L * count), low.address() + 2 * first);
            }
        }
    }

    void read(MemorySegment float32) {
        check("read", float32);
        try (var host = Arena.ofConfined()) {
            var high = host.allocate(JAVA_SHORT, HOST_CHUNK);
            var rest = host.allocate(JAVA_SHORT, HOST_CHUNK);
            for (long first = 0; first < size(); first += HOST_CHUNK) {
                int count = (int) Math.min(HOST_CHUNK, size() - first);
                memory.download(values.address() + 2 * first, high.asSlice(0, 2L * count));
                memory.download(low.address() + 2 * first, rest.asSlice(0, 2L * count));
                for (int i = 0; i < count; i++) {
                    int bits = (high.getAtIndex(JAVA_SHORT, i) << 16) + rest.getAtIndex(JAVA_SHORT, i);
                    float32.set(JAVA_INT_UNALIGNED, (first + i) * 4, bits);
                }
            }
        }
    }

    private void check(String what, MemorySegment float32) {
        device.checkThread();
        if (float32.byteSize() != 4 * size()) {
            throw new IllegalArgumentException("parameters " + what + ": host memory of " + float32.byteSize() + " bytes should have "
                    + 4 * size());
        }
    }
}
