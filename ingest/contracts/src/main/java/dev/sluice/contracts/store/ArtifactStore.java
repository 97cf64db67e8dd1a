package dev.sluice.contracts.store;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Path;

/// Large bytes, named by their SHA-256. Writing the same content twice stores it once.
///
/// A stored object never changes and appears whole or not at all. A reader gets the bytes that the reference promised,
/// or an [ArtifactException] that says what is wrong with them. Any other [IOException] says nothing about the object: the
/// store does not answer.
public interface ArtifactStore {

    /// The store at `root`; `file:` is understood.
    ///
    /// @throws IllegalArgumentException for another scheme
    static ArtifactStore open(URI root) {
        return switch (String.valueOf(root.getScheme())) {
            case "file" -> new FileArtifactStore(Path.of(root));
            default -> throw new IllegalArgumentException("artifact store address must start with file:, was " + root);
        };
    }

    /// Stores what `content` holds from here to its end.
    ArtifactRef put(InputStream content) throws IOException;

    /// Stores a copy of a file.
    ArtifactRef put(Path file) throws IOException;

    /// The content, checked: reading the last byte throws [ArtifactException] when size or hash differ.
    InputStream get(ArtifactRef ref) throws IOException;

    /// A local file with the content of `ref`, size and hash verified now. Read it, never write it.
    Path local(ArtifactRef ref) throws IOException;

    boolean exists(ArtifactRef ref) throws IOException;

    /// Removes an object that nothing refers to any more; absent is fine.
    void delete(ArtifactRef ref) throws IOException;
}
