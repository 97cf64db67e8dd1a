package dev.sluice.compute.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibrariesTest {
    private static final String RESOURCES = "org/bytedeco/openblas/linux-x86_64";
    private static final List<String> SMALL = List.of("libgcc_s.so.1", "libquadmath.so.0");

    @TempDir
    private Path folder;
    private String before;

    @BeforeEach
    void useOwnFolder() {
        before = System.getProperty(NativeLibraries.FOLDER_PROPERTY, "");
        System.setProperty(NativeLibraries.FOLDER_PROPERTY, folder.toString());
    }

    @AfterEach
    void restoreFolder() {
        System.setProperty(NativeLibraries.FOLDER_PROPERTY, before);
    }

    @Test
    void manyAtOnceLeaveWholeFilesAndNothingElse() throws Exception {
        try (var threads = Executors.newFixedThreadPool(4)) {
            var all = threads.invokeAll(IntStream.range(0, 8)
                    .<Callable<Path>>mapToObj(_ -> () -> NativeLibraries.unpack(RESOURCES, "v1", SMALL)).toList());
            for (Future<Path> unpacked : all) {
                assertEquals(folder.resolve("v1"), unpacked.get());
            }
        }
        try (var files = Files.list(folder.resolve("v1"))) {
            assertEquals(SMALL, files.map(file -> file.getFileName().toString()).sorted().toList());
        }
    }

    @Test
    void truncatedFileIsReplaced() throws IOException {
        Path library = NativeLibraries.unpack(RESOURCES, "v1", SMALL).resolve(SMALL.getFirst());
        long size = Files.size(library);
        Files.write(library, new byte[10]);
        NativeLibraries.unpack(RESOURCES, "v1", SMALL);
        assertEquals(size, Files.size(library));
    }

    @Test
    void missingResourceIsNamed() {
        var error = assertThrows(IOException.class, () -> NativeLibraries.unpack(RESOURCES, "v1", List.of("libnone.so")));
        assertTrue(error.getMessage().contains("libnone.so"), error.getMessage());
    }
}
