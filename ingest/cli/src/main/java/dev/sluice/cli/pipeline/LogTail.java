package dev.sluice.cli.pipeline;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// The end of a log file, for messages about a process that died.
final class LogTail {
    private static final int LINES = 12;

    private LogTail() {}

    static String of(Path log) {
        try (var lines = Files.lines(log)) {
            var all = lines.toList();
            return String.join("\n", all.subList(Math.max(0, all.size() - LINES), all.size())) + "\n(whole log: " + log + ")";
        } catch (IOException | java.io.UncheckedIOException unreadable) {
            return "(no log at " + log + ")";
        }
    }
}
