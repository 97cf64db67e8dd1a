package dev.sluice.model.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.sluice.model.safetensors.SafetensorsWriter.Content;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
    @Test
    void whatIsWrittenIsRead(@TempDir Path folder) throws IOException {
        Path path = folder.resolve("a.safetensors");
        var bytes = new Content("z", ElementType.U8, new long[] {3}, MemorySegment.ofArray(new byte[] {1, 2, 3}));
        var floats = new Content("b", ElementType.F32, new long[] {2, 1},
                Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, 1.5f, -2f));
        var empty = new Content("a", ElementType.F32, new long[] {0}, MemorySegment.ofArray(new byte[0]));
        SafetensorsWriter.write(path, Map.of("format", "pt"), List.of(bytes, floats, empty));
        try (var arena = Arena.ofConfined()) {
            var file = SafetensorsFile.open(path, arena);
            assertEquals(Map.of("format", "pt"), file.metadata());
            assertEquals(List.of("a", "b", "z"), List.copyOf(file.tensors().keySet()));
            assertArrayEquals(new long[] {2, 1}, file.tensors().get("b").shape());
            assertEquals(-2f, file.data(file.tensors().get("b")).get(ValueLayout.JAVA_FLOAT_UNALIGNED, 4));
            assertArrayEquals(new byte[] {1, 2, 3}, file.data(file.tensors().get("z")).toArray(ValueLayout.JAVA_BYTE));
        }
        assertFalse(Files.exists(folder.resolve("a.safetensors.tmp")));
    }
}
