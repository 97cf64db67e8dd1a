package dev.sluice.cli.doctor;

import com.sun.management.OperatingSystemMXBean;
import dev.sluice.cli.CliException;
import dev.sluice.cli.pipeline.DataFolder;
import dev.sluice.cli.pipeline.Installation;
import dev.sluice.cli.pipeline.ServiceKind;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.lang.management.ManagementFactory;
import java.lang.module.ModuleFinder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What a pipeline needs of the machine: a JDK with the vector module, memory, disk, a built checkout; and whether a
/// GPU driver is there.
public final class MachineChecks {
    private static final long GIB = 1L << 30;
    /// Heaps of broker and services, with room for a small model's weights.
    private static final long WANTED_MEMORY = 4 * GIB;
    private static final long WANTED_DISK = 2 * GIB;

    private MachineChecks() {}

    public static List<Check> run(Installation installation, DataFolder data) {
        var checks = new ArrayList<Check>(List.of(jdk(), vectors(), memory(), disk(data), gpu()));
        for (var kind : ServiceKind.values()) {
            checks.add(build(installation, kind));
        }
        return checks;
    }

    private static Check jdk() {
        var version = Runtime.version();
        return version.feature() >= 25 ? Check.ok("jdk", version + " in " + System.getProperty("java.home"))
                : Check.wrong("jdk", version + " is too old; install JDK 25 and set JAVA_HOME");
    }

    private static Check vectors() {
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
                || Files.exists(Path.of(System.getProperty("java.home"), "jmods", "jdk.incubator.vector.jmod"))
                || ModuleFinder.ofSystem().find("jdk.incubator.vector").isPresent()
                ? Check.ok("vector module", "jdk.incubator.vector is part of this JDK")
                : Check.wrong("vector module", "this JDK lacks jdk.incubator.vector; the CPU backend needs a full JDK");
    }

    private static Check memory() {
        var system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long total = system.getTotalMemorySize();
        String found = String.format("%.1f GiB, %d processors", (double) total / GIB, system.getAvailableProcessors());
        return total >= WANTED_MEMORY ? Check.ok("memory", found)
                : Check.wrong("memory", found + "; broker and services want " + WANTED_MEMORY / GIB + " GiB");
    }

    private static Check disk(DataFolder data) {
        Path existing = data.root();
        while (!Files.exists(existing)) {
            existing = existing.getParent();
        }
        try {
            long free = Files.getFileStore(existing).getUsableSpace();
            String found = String.format("%.1f GiB free for %s", (double) free / GIB, data.root());
            if (!Files.isWritable(existing)) {
                return Check.wrong("data folder", existing + " cannot be written; choose another with --data");
            }
            return free >= WANTED_DISK ? Check.ok("data folder", found)
                    : Check.wrong("data folder", found + "; " + WANTED_DISK / GIB + " GiB are wanted");
        } catch (IOException e) {
            return Check.wrong("data folder", existing + ": " + e.getMessage());
        }
    }

    private static Check gpu() {
        try (var arena = Arena.ofConfined()) {
            SymbolLookup.libraryLookup("libcuda.so.1", arena);
            return Check.ok("gpu driver", "libcuda.so.1 is there; the trainer's log says which backend it chose");
        } catch (IllegalArgumentException none) {
            return Check.note("gpu driver", "no libcuda.so.1: training runs on the CPU backend");
        }
    }

    private static Check build(Installation installation, ServiceKind kind) {
        try {
            return Check.ok("build of " + kind.title(), installation.runnable(kind).toString());
        } catch (CliException missing) {
            return Check.wrong("build of " + kind.title(), missing.getMessage());
        }
    }
}
