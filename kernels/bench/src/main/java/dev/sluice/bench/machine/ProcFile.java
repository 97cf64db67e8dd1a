package dev.sluice.bench.machine;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/// Small files that the kernel makes up.
final class ProcFile {
    private ProcFile() {}

    /// The file's text, or nothing where it is not there.
    static String read(String file) {
        try {
            return new String(Files.readAllBytes(Path.of(file)), StandardCharsets.UTF_8);
        } catch (IOException absent) {
            return "";
        }
    }
}
