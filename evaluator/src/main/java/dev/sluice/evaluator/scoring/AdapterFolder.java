package dev.sluice.evaluator.scoring;

import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.store.Manifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/// An adapter's files, copied out of the store with sizes and hashes verified, for as long as it takes to read them.
final class AdapterFolder implements AutoCloseable {

    private final Path path;

    private AdapterFolder(Path path) {
        this.path = path;
    }

    /// @param scratch folder to copy into
    static AdapterFolder fetch(ArtifactStore store, Manifest manifest, Path scratch) throws IOException {
        var folder = new AdapterFolder(Files.createTempDirectory(Files.createDirectories(scratch), "adapter-"));
        try {
            manifest.copyTo(folder.path, store);
            return folder;
        } catch (IOException | RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    Path path() {
        return path;
    }

    @Override
    public void close() throws IOException {
        try (Stream<Path> files = Files.list(path)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(path);
    }
}
