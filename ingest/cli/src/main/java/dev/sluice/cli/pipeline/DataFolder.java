package dev.sluice.cli.pipeline;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;

/// Everything a single-machine pipeline keeps: broker log, artifact store, logs of the processes, and who is running.
/// Deleting the folder deletes the pipeline; nothing of it lies elsewhere.
public record DataFolder(Path root) {
    public DataFolder {
        root = root.toAbsolutePath().normalize();
    }

    /// `SLUICE_DATA`, or `.sluice` in the home folder.
    public static Path standard() {
        String configured = System.getenv("SLUICE_DATA");
        return configured == null || configured.isBlank() ? Path.of(System.getProperty("user.home"), ".sluice")
                : Path.of(configured);
    }

    public Path broker() {
        return root.resolve("broker");
    }

    public Path logs() {
        return root.resolve("logs");
    }

    /// Working folder of one service: checkpoints being written, unpacked native libraries.
    public Path scratch(String service) {
        return root.resolve("scratch").resolve(service);
    }

    public URI store() {
        return root.resolve("store").toUri();
    }

    Path status() {
        return root.resolve("pipeline.json");
    }

    Path ports() {
        return root.resolve("ports.json");
    }

    Path lock() {
        return root.resolve("pipeline.lock");
    }

    /// Makes the folders.
    ///
    /// @throws CliException if one cannot be written
    public DataFolder create() {
        try {
            Files.createDirectories(logs());
            Files.createDirectories(root.resolve("store"));
            return this;
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED,
                    "cannot write the data folder " + root + ": " + e.getMessage() + "; choose another with --data", e);
        }
    }
}
