package dev.sluice.bench.machine;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// What this process takes.
public final class HostMemory {
    private static final Pattern PEAK = Pattern.compile("(?m)^VmHWM:\\s*(\\d+) kB$");
    private static final int KIB = 1 << 10;

    private HostMemory() {}

    /// Largest resident size so far in bytes, 0 where the system does not say.
    public static long peakBytes() {
        var matcher = PEAK.matcher(ProcFile.read("/proc/self/status"));
        return matcher.find() ? Long.parseLong(matcher.group(1)) * KIB : 0;
    }

    /// Forgets the peak so far, where the system can.
    public static void resetPeak() {
        try {
            Files.writeString(Path.of("/proc/self/clear_refs"), "5");
        } catch (IOException _) {
            // Then the peak includes what came before.
        }
    }

    /// User and system time of all threads so far, in milliseconds.
    public static double processorMillis() {
        return ProcessHandle.current().info().totalCpuDuration().map(time -> time.toNanos() / 1e6).orElse(Double.NaN);
    }
}
