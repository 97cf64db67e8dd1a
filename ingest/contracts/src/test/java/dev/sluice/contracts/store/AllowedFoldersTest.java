package dev.sluice.contracts.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.sluice.contracts.store.ArtifactException.Problem;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AllowedFoldersTest {
    @TempDir
    private Path folder;
    private Path root;
    private Path inside;
    private Path outside;
    private AllowedFolders allowed;

    @BeforeEach
    void makeFolders() throws IOException {
        root = Files.createDirectory(folder.toRealPath().resolve("models"));
        inside = Files.createDirectory(root.resolve("small"));
        outside = Files.createDirectory(folder.toRealPath().resolve("secrets"));
        allowed = AllowedFolders.of(List.of(root.toString()));
    }

    private Problem problem(AllowedFolders folders, URI address) {
        return assertThrows(ArtifactException.class, () -> folders.resolve(address)).problem();
    }

    @Test
    void aFolderInsideARootIsGiven() throws ArtifactException {
        assertEquals(inside, allowed.resolve(inside.toUri()));
        assertEquals(inside, AllowedFolders.of(List.of(root.toUri().toString())).resolve(inside.toUri()));
    }

    @Test
    void withoutRootsEveryFolderIsAllowed() throws ArtifactException {
        assertEquals(outside, AllowedFolders.of(List.of()).resolve(outside.toUri()));
    }

    @Test
    void dotsAndLinksThatLeaveTheRootAreRefused() throws IOException {
        assertEquals(Problem.OUTSIDE, problem(allowed, outside.toUri()));
        assertEquals(Problem.OUTSIDE, problem(allowed, URI.create(root.toUri() + "../secrets")));
        assertEquals(Problem.OUTSIDE, problem(allowed, URI.create(root.toUri() + "%2e%2e/secrets")));
        Path link = Files.createSymbolicLink(root.resolve("link"), outside);
        assertEquals(Problem.OUTSIDE, problem(allowed, link.toUri()));
    }

    @Test
    void otherSchemesAndRelativeAddressesAreRefused() {
        assertEquals(Problem.OUTSIDE, problem(allowed, URI.create("gopher://models/small")));
        assertEquals(Problem.OUTSIDE, problem(allowed, URI.create("file:small")));
        assertEquals(Problem.OUTSIDE, problem(allowed, URI.create("small")));
    }

    @Test
    void whatIsNotThereOrNoFolderIsMissing() throws IOException {
        assertEquals(Problem.MISSING, problem(allowed, root.resolve("none").toUri()));
        assertEquals(Problem.MISSING, problem(allowed, Files.createFile(root.resolve("file")).toUri()));
    }
}
