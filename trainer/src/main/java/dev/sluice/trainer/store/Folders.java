package dev.sluice.trainer.store;

import dev.sluice.contracts.store.ArtifactRef;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.store.Manifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/// Folders of plain files on their way to the artifact store.
public final class Folders {

    private Folders() {}

    /// Stores every file of `folder`.
    public static Manifest store(ArtifactStore store, Path folder) throws IOException {
        Map<String, ArtifactRef> files = new TreeMap<>();
        for (Path file : list(folder)) {
            files.put(file.getFileName().toString(), store.put(file));
        }
        return Manifest.of(files);
    }

    /// Removes a folder and all in it; absent is fine.
    public static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        }
    }
}
