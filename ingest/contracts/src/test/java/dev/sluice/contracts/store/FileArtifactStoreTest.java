package dev.sluice.contracts.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.contracts.store.ArtifactException.Problem;
import dev.sluice.contracts.wire.Sha256;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileArtifactStoreTest {

    private static final byte[] CONTENT = "weights".getBytes(UTF_8);

    @TempDir
    Path folder;
    ArtifactStore store;

    @BeforeEach
    void open() {
        store = ArtifactStore.open(folder.resolve("store").toUri());
    }

    @Test
    void contentIsNamedByItsHash() throws IOException {
        ArtifactRef ref = put();
        assertEquals(Sha256.of(CONTENT), ref.sha256());
        assertEquals(CONTENT.length, ref.bytes());
        assertArrayEquals(CONTENT, Files.readAllBytes(store.local(ref)));
        assertTrue(store.exists(ref));
    }

    @Test
    void theSameContentIsStoredOnce() throws IOException {
        assertEquals(put(), put());
        try (var files = Files.walk(folder)) {
            assertEquals(1, files.filter(Files::isRegularFile).count());
        }
    }

    @Test
    void aFailingSourceLeavesNothingBehind() {
        InputStream broken = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("source is gone");
            }
        };
        assertThrows(IOException.class, () -> store.put(broken));
        try (var files = Files.walk(folder)) {
            assertEquals(0, files.filter(Files::isRegularFile).count());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aFlippedBitIsFound() throws IOException {
        ArtifactRef ref = put();
        byte[] damaged = CONTENT.clone();
        damaged[3] ^= 1;
        Files.write(Path.of(ref.uri()), damaged);
        assertEquals(Problem.DAMAGED, problem(ref));
    }

    @Test
    void aTruncatedFileIsFound() throws IOException {
        ArtifactRef ref = put();
        Files.write(Path.of(ref.uri()), "weight".getBytes(UTF_8));
        assertEquals(Problem.DAMAGED, problem(ref));
        assertFalse(store.exists(ref));
    }

    @Test
    void anObjectIsMissingOnlyWhileTheStoreIsThere() throws IOException {
        ArtifactRef ref = put();
        Path away = Files.move(folder.resolve("store"), folder.resolve("away"));
        assertThrows(NoSuchFileException.class, () -> store.local(ref));
        assertThrows(NoSuchFileException.class, () -> store.exists(ref));
        assertThrows(NoSuchFileException.class, this::put);
        Files.move(away, folder.resolve("store"));
        assertTrue(store.exists(ref));
        store.delete(ref);
        assertEquals(Problem.MISSING, problem(ref));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/../secret", "/objects/../../secret", "/%2e%2e/secret", "/objects/link"})
    void nothingOutsideTheRootIsRead(String suffix) throws IOException {
        Path secret = Files.write(folder.resolve("secret"), CONTENT);
        Files.createSymbolicLink(folder.resolve("store/objects/link"), secret);
        URI uri = URI.create("file://" + folder.resolve("store") + suffix);
        assertEquals(Problem.OUTSIDE, problem(new ArtifactRef(uri, Sha256.of(CONTENT), CONTENT.length)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"http://169.254.169.254/x", "gopher://x/y", "file://host/share/x", "file:///etc/passwd", "x"})
    void otherAddressesAreRefused(String address) throws IOException {
        assertEquals(Problem.OUTSIDE, problem(new ArtifactRef(URI.create(address), Sha256.of(CONTENT), CONTENT.length)));
    }

    @Test
    void aManifestIsNamedByContentNotByAddress() throws IOException {
        ArtifactRef here = put();
        ArtifactRef elsewhere = new ArtifactRef(URI.create("s3://bucket/x"), here.sha256(), here.bytes());
        assertEquals(Manifest.of(Map.of("a", here)).id(), Manifest.of(Map.of("a", elsewhere)).id());
        assertThrows(IllegalArgumentException.class, () -> Manifest.of(Map.of("../a", here)));
    }

    private ArtifactRef put() throws IOException {
        return store.put(new ByteArrayInputStream(CONTENT));
    }

    private Problem problem(ArtifactRef ref) {
        return assertThrows(ArtifactException.class, () -> store.local(ref)).problem();
    }
}
