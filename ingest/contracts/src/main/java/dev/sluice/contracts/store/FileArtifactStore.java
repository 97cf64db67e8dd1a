package dev.sluice.contracts.store;

import dev.sluice.contracts.store.ArtifactException.Problem;
import dev.sluice.contracts.wire.Sha256;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.FileSystemNotFoundException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.UUID;

/// A store in a folder: `<root>/objects/ab/abcdef…`. Safe for several processes at once: a file is written under a
/// temporary name, forced to disk, then renamed.
public final class FileArtifactStore implements ArtifactStore {

    private final Path root;

    /// @param root created when missing
    public FileArtifactStore(Path root) {
        try {
            Files.createDirectories(root.resolve("objects"));
            Files.createDirectories(root.resolve("incoming"));
            this.root = root.toRealPath();
        } catch (IOException e) {
            throw new IllegalArgumentException("artifact store " + root + " cannot be created or read: " + e + "; check sluice.store", e);
        }
    }

    @Override
    public ArtifactRef put(Path file) throws IOException {
        try (InputStream content = Files.newInputStream(file)) {
            return put(content);
        }
    }

    @Override
    public ArtifactRef put(InputStream content) throws IOException {
        Path incoming = root.resolve("incoming").resolve(UUID.randomUUID().toString());
        try {
            MessageDigest digest = Sha256.digest();
            long bytes = write(new DigestInputStream(content, digest), incoming);
            String sha256 = Sha256.hex(digest.digest());
            Path target = path(sha256);
            Files.createDirectories(target.getParent());
            moveInto(incoming, target);
            return new ArtifactRef(target.toUri(), sha256, bytes);
        } finally {
            Files.deleteIfExists(incoming);
        }
    }

    @Override
    public InputStream get(ArtifactRef ref) throws IOException {
        return new VerifiedInputStream(Files.newInputStream(inside(ref)), ref);
    }

    @Override
    public Path local(ArtifactRef ref) throws IOException {
        Path path = inside(ref);
        try (InputStream content = new VerifiedInputStream(Files.newInputStream(path), ref)) {
            content.transferTo(OutputStream.nullOutputStream());
        }
        return path;
    }

    @Override
    public boolean exists(ArtifactRef ref) throws IOException {
        try {
            return Files.size(inside(ref)) == ref.bytes();
        } catch (ArtifactException e) {
            if (e.problem() == Problem.MISSING) {
                return false;
            }
            throw e;
        }
    }

    @Override
    public void delete(ArtifactRef ref) throws IOException {
        if (exists(ref)) {
            Files.delete(inside(ref));
        }
    }

    /// Resolves once, links and all, and checks the result: never the text of the address.
    private Path inside(ArtifactRef ref) throws IOException {
        Path path = toPath(ref.uri());
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            requireStore();
            throw new ArtifactException(Problem.MISSING, "artifact " + ref.uri() + " does not exist");
        }
        Path real = path.toRealPath();
        if (!real.startsWith(root)) {
            throw new ArtifactException(Problem.OUTSIDE, "artifact " + ref.uri() + " lies outside the store " + root);
        }
        return real;
    }

    /// An object that cannot be found in a store that is not there is not missing: its volume may come back.
    private void requireStore() throws NoSuchFileException {
        Path objects = root.resolve("objects");
        if (!Files.isDirectory(objects)) {
            throw new NoSuchFileException(objects.toString(), null, "the store is away");
        }
    }

    private static Path toPath(URI uri) throws ArtifactException {
        try {
            return Path.of(uri);
        } catch (IllegalArgumentException | FileSystemNotFoundException e) {
            throw new ArtifactException(Problem.OUTSIDE, "artifact address " + uri + " is no file: address: " + e.getMessage());
        }
    }

    private Path path(String sha256) {
        return root.resolve("objects").resolve(sha256.substring(0, 2)).resolve(sha256);
    }

    private static long write(InputStream content, Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            long bytes = content.transferTo(Channels.newOutputStream(channel));
            channel.force(true);
            return bytes;
        }
    }

    private static void moveInto(Path incoming, Path target) throws IOException {
        try {
            Files.move(incoming, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            throw new IOException("artifact store " + target + ": this file system cannot rename atomically; put sluice.store on a local disk", e);
        }
        forceFolder(target.getParent());
    }

    /// A rename survives a power cut only once the folder is on disk; where folders cannot be opened, the system sees to it.
    private static void forceFolder(Path folder) throws IOException {
        if (!System.getProperty("os.name").startsWith("Windows")) {
            try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }
}
