package dev.sluice.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import jcuda.driver.JCudaDriver;

/// Loads JCuda's native library from a folder of our own.
///
/// JCuda unpacks it into `java.io.tmpdir` under a fixed name, where another user's file may lie or a second process may be
/// writing. For the moment of loading, `java.io.tmpdir` is therefore a new private folder, removed again once it is loaded.
final class JCudaNatives {
    private static boolean loaded;

    private JCudaNatives() {}

    static synchronized void load() {
        if (loaded) {
            return;
        }
        String before = System.getProperty("java.io.tmpdir");
        try {
            Path own = Files.createTempDirectory("sluice-jcuda");
            try {
                System.setProperty("java.io.tmpdir", own.toString());
                JCudaDriver.setExceptionsEnabled(true);
                loaded = true;
            } finally {
                System.setProperty("java.io.tmpdir", before);
                delete(own);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("a private folder for JCuda's native library cannot be made under " + before, e);
        }
    }

    /// What is loaded stays mapped; where the system keeps open files on disk, they stay until the folder is cleaned.
    private static void delete(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (IOException _) {
            folder.toFile().deleteOnExit();
        }
    }
}
