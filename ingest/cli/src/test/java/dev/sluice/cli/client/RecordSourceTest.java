package dev.sluice.cli.client;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.cli.CliException;
import dev.sluice.contracts.wire.Json;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordSourceTest {
    @TempDir
    private Path folder;

    private static List<byte[]> read(Path file) throws IOException {
        var records = new ArrayList<byte[]>();
        try (var source = RecordSource.open(file)) {
            for (byte[] record = source.next(); record != null; record = source.next()) {
                records.add(record);
            }
        }
        return records;
    }

    @Test
    void linesAreRecordsByteForByte() throws IOException {
        byte[] invalidUtf8 = {'{', (byte) 0xff, '}'};
        var out = new ByteArrayOutputStream();
        out.write("{\"text\":\"a\"}\r\n\n  \n".getBytes(StandardCharsets.UTF_8));
        out.write(invalidUtf8);
        Path file = Files.write(folder.resolve("data.jsonl"), out.toByteArray());

        var records = read(file);

        assertEquals(2, records.size());
        assertArrayEquals("{\"text\":\"a\"}\r".getBytes(StandardCharsets.UTF_8), records.get(0));
        assertArrayEquals(invalidUtf8, records.get(1));
    }

    @Test
    void parquetRowsAreJsonObjectsWithoutTheirNulls() throws Exception {
        var records = read(Path.of(getClass().getResource("conversations.parquet").toURI()));

        assertEquals(2, records.size());
        var first = Json.readTree(records.get(0));
        assertEquals("pump-07 STOP", first.at("/messages/1/content").asText());
        assertTrue(first.path("prompt").isMissingNode());
        assertEquals("héllo ✓", Json.readTree(records.get(1)).at("/messages/0/content").asText());
    }

    @Test
    void aMissingFileIsNamed() {
        var failure = assertThrows(CliException.class, () -> RecordSource.open(folder.resolve("none.jsonl")));
        assertTrue(failure.getMessage().contains("none.jsonl: no such file"), failure.getMessage());
    }

    @Test
    void aFileThatOnlyClaimsToBeParquetIsRefused() throws IOException {
        Path file = Files.writeString(folder.resolve("fake.parquet"), "{\"text\":\"a\"}\n");
        var failure = assertThrows(CliException.class, () -> RecordSource.open(file));
        assertTrue(failure.getMessage().contains("fake.parquet"), failure.getMessage());
    }

    @Test
    void anEmptyFileHoldsNoRecord() throws IOException {
        try (var source = RecordSource.open(Files.createFile(folder.resolve("empty.jsonl")))) {
            assertNull(source.next());
        }
    }
}
