package dev.sluice.bench.outputs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.bench.CommandLines;
import dev.sluice.model.safetensors.ElementType;
import dev.sluice.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputsCommandTest {
    private static final Set<String> NO_BFLOAT16 = Set.of("in/cos", "in/sin");

    @TempDir
    Path folder;

    @Test
    void everyCaseIsOneFileOfRoundedInputsAndWrittenOutputs() {
        var result = CommandLines.run("outputs", "--backend", "cpu", "--folder", folder.toString());
        assertEquals(0, result.exitCode(), result.err());
        List<Path> files = result.out().lines().map(Path::of).toList();
        assertEquals(11, files.size(), result.out());
        try (var arena = Arena.ofConfined()) {
            files.forEach(file -> check(SafetensorsFile.open(file, arena)));
        }
    }

    @Test
    void aFileIsNoFolder() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        var result = CommandLines.run("outputs", "--backend", "cpu", "--folder", file.toString());
        assertEquals(2, result.exitCode());
        assertTrue(result.err().contains("--folder should be a folder, " + file + " is a file"), result.err());
    }

    private static void check(SafetensorsFile file) {
        assertTrue(file.metadata().containsKey("operation"), file.path().toString());
        assertTrue(file.tensors().keySet().stream().anyMatch(name -> name.startsWith("out/d.")), file.path().toString());
        file.tensors().forEach((name, entry) -> {
            if (entry.type() == ElementType.F32) {
                String place = file.path() + " " + name;
                MemorySegment data = file.data(entry);
                assertFalse(bits(data).anyMatch(bits -> Float.isNaN(Float.intBitsToFloat((int) bits))), place);
                assertTrue(!name.startsWith("in/") || NO_BFLOAT16.contains(name) || bits(data).allMatch(bits -> (bits & 0xffff) == 0), place);
            }
        });
    }

    private static LongStream bits(MemorySegment data) {
        return LongStream.range(0, data.byteSize() / Float.BYTES).map(i -> data.get(ValueLayout.JAVA_INT_UNALIGNED, i * Float.BYTES));
    }
}
