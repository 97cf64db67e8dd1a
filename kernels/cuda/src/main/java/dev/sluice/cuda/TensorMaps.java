package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Descriptors for Hopper's tensor copy engine: bf16, 128-byte swizzle, zeros outside. The same allocations come back every step,
/// so descriptors are kept.
final class TensorMaps implements AutoCloseable {
    static final int BYTES = 128;
    static final int ALIGNMENT = 64;

    private static final int BFLOAT16 = 9;
    private static final int SWIZZLE_128_BYTES = 3;
    private static final int L2_PROMOTION_256_BYTES = 3;
    private static final int MOST = 1 << 14;

    private final DriverLibrary library;
    private final MethodHandle encode;
    private final Map<Key, MemorySegment> kept = new HashMap<>();
    private Arena arena = Arena.ofConfined();

    private record Key(long address, List<Long> sizes, List<Long> strides, List<Integer> box) {}

    TensorMaps(DriverLibrary library) {
        this.library = library;
        this.encode = library.function("cuTensorMapEncodeTiled", ADDRESS, JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS, ADDRESS, ADDRESS,
                JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    }

    /// Makes descriptors of nothing.
    TensorMaps() {
        this.library = null;
        this.encode = null;
    }

    /// @param address of element 0, a multiple of 16
    /// @param sizes elements of each dimension, the contiguous one first
    /// @param strides bytes between elements of the second dimension and each later one, multiples of 16
    /// @param box elements of each dimension that one copy brings, 64 in the first
    MemorySegment of(long address, List<Long> sizes, List<Long> strides, List<Integer> box) {
        if (kept.size() >= MOST) {
            kept.clear();
            arena.close();
            arena = Arena.ofConfined();
        }
        return kept.computeIfAbsent(new Key(address, sizes, strides, box), this::encode);
    }

    private MemorySegment encode(Key key) {
        var map = arena.allocate(BYTES, ALIGNMENT);
        if (encode == null) {
            return map;
        }
        try (var own = Arena.ofConfined()) {
            var sizes = own.allocateFrom(JAVA_LONG, key.sizes.stream().mapToLong(Long::longValue).toArray());
            var strides = own.allocateFrom(JAVA_LONG, key.strides.stream().mapToLong(Long::longValue).toArray());
            var box = own.allocateFrom(JAVA_INT, key.box.stream().mapToInt(Integer::intValue).toArray());
            var steps = own.allocateFrom(JAVA_INT, key.box.stream().mapToInt(_ -> 1).toArray());
            library.check(DriverLibrary.call(encode, map, BFLOAT16, key.sizes.size(), key.address, sizes, strides, box, steps, 0,
                    SWIZZLE_128_BYTES, L2_PROMOTION_256_BYTES, 0), "tensor map of " + key);
        }
        return map;
    }

    @Override
    public void close() {
        arena.close();
    }
}
