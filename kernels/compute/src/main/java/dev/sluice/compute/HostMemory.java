package dev.sluice.compute;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/// What the operating system would still give this process: the machine's available memory, or what is left of the
/// container's limit if that is less. Page cache counts as free in both.
public final class HostMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");
    private static final Path CGROUP = Path.of("/sys/fs/cgroup");
    /// Below this an allocation is not worth asking the operating system about.
    private static final long WORTH_ASKING_BYTES = 1 << 20;

    private HostMemory() {}

    public static MemoryStatus status() {
        var bean = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long total = line(MEMINFO, "MemTotal:", 1024).orElseGet(bean::getTotalMemorySize);
        long free = line(MEMINFO, "MemAvailable:", 1024).orElseGet(bean::getFreeMemorySize);
        OptionalLong limit = number(CGROUP.resolve("memory.max"));
        if (limit.isPresent() && limit.getAsLong() < total) {
            long used = number(CGROUP.resolve("memory.current")).orElse(0)
                    - line(CGROUP.resolve("memory.stat"), "inactive_file ", 1).orElse(0);
            total = limit.getAsLong();
            free = Math.min(free, total - used);
        }
        return new MemoryStatus(total, Math.clamp(free, 0, total));
    }

    /// @throws OutOfMemoryException if `bytes` more cannot be had
    public static void requireFree(String what, long bytes) {
        if (bytes >= WORTH_ASKING_BYTES) {
            long free = status().freeBytes();
            if (bytes > free) {
                throw new OutOfMemoryException(what, bytes, free);
            }
        }
    }

    private static OptionalLong line(Path file, String key, long unit) {
        try (var lines = Files.lines(file)) {
            return lines.filter(line -> line.startsWith(key))
                    .mapToLong(line -> Long.parseLong(line.substring(key.length()).replace("kB", "").strip()) * unit)
                    .findFirst();
        } catch (IOException absent) {
            return OptionalLong.empty();
        }
    }

    private static OptionalLong number(Path file) {
        try {
            String text = Files.readString(file).strip();
            return text.equals("max") ? OptionalLong.empty() : OptionalLong.of(Long.parseLong(text));
        } catch (IOException absent) {
            return OptionalLong.empty();
        }
    }
}
