package dev.sluice.contracts.store;

import dev.sluice.contracts.wire.Check;
import dev.sluice.contracts.wire.Json;
import dev.sluice.contracts.wire.Sha256;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;

/// Several files that belong together: an adapter, a checkpoint. Its hash is the id of the whole.
///
/// The hash covers names, content hashes and sizes, not addresses: the same files in another store have the same id.
///
/// @param files file name (plain, no folders) to where it lies
public record Manifest(SortedMap<String, ArtifactRef> files) {

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}");

    public Manifest {
        Check.present(files, "files");
        if (files.isEmpty()) {
            throw new IllegalArgumentException("files of a manifest must not be empty");
        }
        files.forEach((name, ref) -> {
            if (!NAME.matcher(name).matches()) {
                throw new IllegalArgumentException("file name in a manifest must be plain, was '" + name + "'");
            }
            Check.present(ref, "reference of " + name);
        });
        files = Collections.unmodifiableSortedMap(new TreeMap<>(files));
    }

    public static Manifest of(Map<String, ArtifactRef> files) {
        return new Manifest(new TreeMap<>(files));
    }

    /// SHA-256 of the canonical list of names, hashes and sizes.
    public String id() {
        SortedMap<String, Object> content = new TreeMap<>();
        files.forEach((name, ref) -> content.put(name, Map.of("sha256", ref.sha256(), "bytes", ref.bytes())));
        return Sha256.of(Json.canonical(content));
    }

    /// The file `name`.
    ///
    /// @throws IllegalArgumentException when the manifest has no such file
    public ArtifactRef file(String name) {
        ArtifactRef ref = files.get(name);
        if (ref == null) {
            throw new IllegalArgumentException("manifest has no file '" + name + "', it has " + files.keySet());
        }
        return ref;
    }

    /// Copies every file into `folder`, which is made when missing; sizes and hashes are verified on the way.
    ///
    /// @throws ArtifactException when one is missing or damaged
    public void copyTo(Path folder, ArtifactStore store) throws IOException {
        Files.createDirectories(folder);
        for (var file : files.entrySet()) {
            try (var content = store.get(file.getValue())) {
                Files.copy(content, folder.resolve(file.getKey()), StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }
}
