package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/// The driver's virtual memory calls: addresses are reserved first and backed by device memory piece by piece, so that a region
/// grows without moving. JCuda binds them too; here they share the error handling of the other direct calls.
final class VirtualMemory {
    private static final int PINNED = 1;
    private static final int DEVICE = 1;
    private static final int READ_WRITE = 3;

    private final DriverLibrary library;
    private final MemorySegment properties = Arena.global().allocate(32, 8);
    private final MemorySegment access = Arena.global().allocate(12, 4);
    private final MethodHandle reserve;
    private final MethodHandle free;
    private final MethodHandle create;
    private final MethodHandle release;
    private final MethodHandle map;
    private final MethodHandle unmap;
    private final MethodHandle allow;
    private final long granularity;

    VirtualMemory(DriverLibrary library, int ordinal) {
        this.library = library;
        reserve = library.function("cuMemAddressReserve", ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        free = library.function("cuMemAddressFree", JAVA_LONG, JAVA_LONG);
        create = library.function("cuMemCreate", ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG);
        release = library.function("cuMemRelease", JAVA_LONG);
        map = library.function("cuMemMap", JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        unmap = library.function("cuMemUnmap", JAVA_LONG, JAVA_LONG);
        allow = library.function("cuMemSetAccess", JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG);
        // CUmemAllocationProp: type, requested handle types, location {type, id}, then zeros. CUmemAccessDesc: location, flags.
        properties.set(JAVA_INT, 0, PINNED);
        properties.set(JAVA_INT, 8, DEVICE);
        properties.set(JAVA_INT, 12, ordinal);
        access.set(JAVA_INT, 0, DEVICE);
        access.set(JAVA_INT, 4, ordinal);
        access.set(JAVA_INT, 8, READ_WRITE);
        granularity = number(out -> DriverLibrary.call(
                library.function("cuMemGetAllocationGranularity", ADDRESS, ADDRESS, JAVA_INT), out, properties, 0), "granularity");
    }

    /// Pieces must be multiples of this many bytes.
    long granularity() {
        return granularity;
    }

    long reserve(long bytes) {
        return number(out -> DriverLibrary.call(reserve, out, bytes, 0L, 0L, 0L), "reserve " + bytes + " bytes of addresses");
    }

    /// Backs addresses with device memory.
    ///
    /// @return false if the device has too little left
    boolean back(long address, long bytes) {
        try (var arena = Arena.ofConfined()) {
            var handle = arena.allocate(JAVA_LONG);
            int error = DriverLibrary.call(create, handle, bytes, properties, 0L);
            if (error == DriverLibrary.OUT_OF_MEMORY) {
                return false;
            }
            library.check(error, "cuMemCreate of " + bytes + " bytes");
            long piece = handle.get(JAVA_LONG, 0);
            library.check(DriverLibrary.call(map, address, bytes, 0L, piece, 0L), "cuMemMap of " + bytes + " bytes");
            // The mapping keeps the memory alive; it goes when it is unmapped.
            library.check(DriverLibrary.call(release, piece), "cuMemRelease");
            library.check(DriverLibrary.call(allow, address, bytes, access, 1L), "cuMemSetAccess");
            return true;
        }
    }

    void unmap(long address, long bytes) {
        library.check(DriverLibrary.call(unmap, address, bytes), "cuMemUnmap of " + bytes + " bytes");
    }

    void free(long address, long bytes) {
        library.check(DriverLibrary.call(free, address, bytes), "cuMemAddressFree");
    }

    private interface Call {
        int into(MemorySegment out);
    }

    private long number(Call call, String what) {
        try (var arena = Arena.ofConfined()) {
            var out = arena.allocate(JAVA_LONG);
            library.check(call.into(out), what);
            return out.get(JAVA_LONG, 0);
        }
    }
}
