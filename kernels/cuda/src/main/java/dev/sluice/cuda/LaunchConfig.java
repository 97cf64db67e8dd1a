package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A `CUlaunchConfig` of `cuda.h` with the one attribute that launches here may have: that blocks may become resident while the grid before
/// drains. One launch is prepared at a time.
final class LaunchConfig implements AutoCloseable {
    static final long BYTES = 56;
    static final long GRID = 0;
    static final long BLOCK = 12;
    static final long SHARED_BYTES = 24;
    static final long STREAM = 32;
    static final long ATTRIBUTES = 40;
    static final long ATTRIBUTE_COUNT = 48;

    private static final long ATTRIBUTE_BYTES = 72;
    private static final long ATTRIBUTE_VALUE = 8;
    private static final int PROGRAMMATIC_STREAM_SERIALIZATION = 6;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment config = arena.allocate(BYTES, 8);

    LaunchConfig() {
        var attribute = arena.allocate(ATTRIBUTE_BYTES, 8);
        attribute.set(JAVA_INT, 0, PROGRAMMATIC_STREAM_SERIALIZATION);
        attribute.set(JAVA_INT, ATTRIBUTE_VALUE, 1);
        config.set(JAVA_INT, BLOCK + 4, 1);
        config.set(JAVA_INT, BLOCK + 8, 1);
        config.set(ADDRESS, ATTRIBUTES, attribute);
    }

    /// @param dependent whether the attribute is there
    MemorySegment of(DriverLibrary.Shape shape, long stream, boolean dependent) {
        config.set(JAVA_INT, GRID, shape.gridX());
        config.set(JAVA_INT, GRID + 4, shape.gridY());
        config.set(JAVA_INT, GRID + 8, shape.gridZ());
        config.set(JAVA_INT, BLOCK, shape.block());
        config.set(JAVA_INT, SHARED_BYTES, shape.sharedBytes());
        config.set(JAVA_LONG, STREAM, stream);
        config.set(JAVA_INT, ATTRIBUTE_COUNT, dependent ? 1 : 0);
        return config;
    }

    @Override
    public void close() {
        arena.close();
    }
}
