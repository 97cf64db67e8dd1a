package dev.sluice.bench.machine;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;

/// The last cache before a device's memory.
public final class Cache {
    private static final String LAST_LEVEL = "/sys/devices/system/cpu/cpu0/cache/index3/size";
    private static final int KIB = 1 << 10;
    /// L2 of the largest cards.
    private static final long GPU = 128L << 20;
    private static final long UNKNOWN = 64L << 20;

    private Cache() {}

    /// Its bytes; a guess on the high side where nobody says.
    public static long bytes(Backend backend) {
        String size = ProcFile.read(LAST_LEVEL).strip();
        return backend.activationType() != DType.FLOAT32 ? GPU
                : size.matches("\\d+K") ? Long.parseLong(size.substring(0, size.length() - 1)) * KIB : UNKNOWN;
    }
}
