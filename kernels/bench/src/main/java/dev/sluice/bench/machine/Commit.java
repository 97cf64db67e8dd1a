package dev.sluice.bench.machine;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/// The commit that this jar was built from, written by the build where git was there.
final class Commit {
    private Commit() {}

    /// Abbreviated hash with `-dirty` where sources had changed, or empty.
    static String ofBuild() {
        try (InputStream in = Commit.class.getResourceAsStream("commit.txt")) {
            return in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
