package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// Where the arguments of a launch are written: their bytes, and the table of pointers to them that the driver reads.
/// One launch is prepared at a time.
final class LaunchMemory implements AutoCloseable {
    private static final int ARGUMENTS = 64;

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment bytes = arena.allocate(4096, 64);
    private final MemorySegment table = arena.allocate(ADDRESS, ARGUMENTS);
    private long used;
    private int arguments;
    private boolean inStruct;

    void reset() {
        used = 0;
        arguments = 0;
        inStruct = false;
    }

    /// Until [#endStruct], values become the fields of one argument, laid out as C does.
    void beginStruct() {
        register(8);
        inStruct = true;
    }

    void endStruct() {
        inStruct = false;
    }

    private long register(int alignment) {
        used = Math.ceilDiv(used, alignment) * (long) alignment;
        if (!inStruct) {
            table.setAtIndex(ADDRESS, arguments++, bytes.asSlice(used));
        }
        return used;
    }

    void put(long value) {
        bytes.set(JAVA_LONG, register(8), value);
        used += 8;
    }

    void put(int value) {
        bytes.set(JAVA_INT, register(4), value);
        used += 4;
    }

    void put(float value) {
        bytes.set(JAVA_FLOAT, register(4), value);
        used += 4;
    }

    /// An argument of raw bytes, such as a tensor map.
    void put(MemorySegment value, int alignment) {
        long at = register(alignment);
        bytes.asSlice(at, value.byteSize()).copyFrom(value);
        used += value.byteSize();
    }

    MemorySegment table() {
        return table;
    }

    @Override
    public void close() {
        arena.close();
    }
}
