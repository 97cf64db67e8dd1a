package dev.sluice.model.files;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;

/// Folders that appear whole or not at all.
public final class Folders {
    private Folders() {}

    /// Fills a temporary folder.
    public interface Filling {
        void into(Path temporary) throws IOException;
    }

    /// Fills a folder beside its place and renames it there; one that is there already is replaced, and stays as it
    /// was if filling fails.
    ///
    /// @throws UncheckedIOException if the disk is full or not writable
    public static void replace(Path folder, Filling filling) {
        Path absolute = folder.toAbsolutePath();
        Path temporary = absolute.resolveSibling(absolute.getFileName() + ".tmp");
        Path aside = absolute.resolveSibling(absolute.getFileName() + ".old");
        try {
            delete(temporary);
            Files.createDirectories(temporary);
            filling.into(temporary);
            delete(aside);
            if (Files.exists(absolute)) {
                Files.move(absolute, aside, StandardCopyOption.ATOMIC_MOVE);
            }
            Files.move(temporary, absolute, StandardCopyOption.ATOMIC_MOVE);
            delete(aside);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write " + folder + ": " + e.getMessage(), e);
        }
    }

    /// Writes a small file and forces it to disk.
    public static void writeForced(Path file, byte[] bytes) throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            var buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            channel.force(true);
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
