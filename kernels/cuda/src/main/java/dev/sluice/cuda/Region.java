package dev.sluice.cuda;

import java.util.ArrayList;
import java.util.List;

/// Contiguous addresses that memory is bumped out of, backed as they are first used.
final class Region {
    /// Every tensor begins at a multiple of this many bytes: the widest access of any kernel, and a row of the L2 cache.
    static final long ALIGNMENT = 256;
    private static final long LARGEST_STEP = 256L << 20;

    private final VirtualMemory memory;
    private final long start;
    private final long reserved;
    private final List<Long> pieces = new ArrayList<>();
    private long backed;
    private long used;

    Region(VirtualMemory memory, long bytes) {
        this.memory = memory;
        this.reserved = roundUp(bytes, memory.granularity());
        this.start = memory.reserve(reserved);
    }

    /// Address of `bytes` fresh bytes, or -1 if the device has too little left.
    long take(long bytes) {
        if (bytes > reserved - used) {
            return -1;
        }
        long end = used + roundUp(bytes, ALIGNMENT);
        if (end > backed && !back(end - backed)) {
            return -1;
        }
        long address = start + used;
        used = end;
        return address;
    }

    private boolean back(long missing) {
        long least = roundUp(missing, memory.granularity());
        long ahead = roundUp(Math.clamp(backed / 4, least, Math.max(least, LARGEST_STEP)), memory.granularity());
        return grow(Math.min(ahead, reserved - backed)) || grow(least);
    }

    private boolean grow(long bytes) {
        if (bytes > reserved - backed || !memory.back(start + backed, bytes)) {
            return false;
        }
        pieces.add(bytes);
        backed += bytes;
        return true;
    }

    private static long roundUp(long bytes, long unit) {
        return Math.ceilDiv(bytes, unit) * unit;
    }

    long used() {
        return used;
    }

    void rewind(long to) {
        used = to;
    }

    /// Bytes backed but not handed out.
    long idle() {
        return backed - used;
    }

    /// Gives everything back to the device, which must have finished with it.
    void release() {
        long address = start;
        for (long piece : pieces) {
            memory.unmap(address, piece);
            address += piece;
        }
        memory.free(start, reserved);
    }
}
