package dev.sluice.model.safetensors;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.model.InvalidFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HostileFileTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "tensor a: unknown dtype F31 | {'a':{'dtype':'F31','shape':[1],'data_offsets':[0,4]}}",
        "tensor a: F32 [2] does not fill its 4 bytes | {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}",
        "overflows | {'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,4]}}",
        "must not be negative | {'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}",
        "Duplicate | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}",
        "tensor b begins at byte 0 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
        "tensor b begins at byte 8 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[8,12]}}",
        "it is truncated | {'a':{'dtype':'F32','shape':[100],'data_offsets':[0,400]}}",
        "bytes follow | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}",
        "__metadata__ k must be a string | {'__metadata__':{'k':1}}",
        "data_offsets must be [begin, end] | {'a':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}",
        "dtype, shape and data_offsets are all needed | {'a':{'dtype':'F32','shape':[1]}}",
        "unknown field extra | {'a':{'extra':{'dtype':1}}}",
        "not valid JSON | {'a':{'dtype':'F32','shape':[1",
        "must be a list of integers | {'a':{'shape':[[[[[[1]]]]]]}}",
        "more than 16 | {'a':{'dtype':'U8','shape':[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],'data_offsets':[0,1]}}",
        "must be a list of integers | {'a':{'dtype':'F32','shape':[1.5],'data_offsets':[0,4]}}",
        "is not a JSON object | [1]",
    })
    void refusedWithItsReason(String reason, String header) throws IOException {
        refused(file(header.replace('\'', '"'), 8), reason);
    }

    @Test
    void headerLongerThanTheFileIsRefused() throws IOException {
        refused(bytes(ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(1 << 20)), "claims 1048576 bytes");
    }

    @Test
    void negativeHeaderLengthIsRefused() throws IOException {
        refused(bytes(ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN).putLong(-1)), "claims 18446744073709551615 bytes");
    }

    @Test
    void sevenBytesAreRefused() throws IOException {
        refused(bytes(ByteBuffer.allocate(7)), "truncated");
    }

    @Test
    void absentFileIsRefused() {
        refused(folder.resolve("none.safetensors"), "does not exist");
    }

    @Test
    void deepNestingIsRefusedAtOnce() throws IOException {
        refused(file("{\"a\":".repeat(100_000), 0), "tensor a: unknown field a");
    }

    @Test
    void indexNamingAFileOutsideTheFolderIsRefused() throws IOException {
        for (String shard : new String[] {"../x.safetensors", "/etc/passwd", "sub/x.safetensors", "x.bin"}) {
            Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{\"a\":\"" + shard + "\"}}");
            var refusal = assertThrows(InvalidFileException.class, () -> Checkpoint.open(folder));
            assertTrue(refusal.getMessage().contains("tensor a must lie in a .safetensors file of this folder"), refusal.getMessage());
        }
    }

    @Test
    void indexNamingATensorThatIsNotThereIsRefused() throws IOException {
        Files.move(file("{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4), folder.resolve("x.safetensors"));
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{\"a\":\"x.safetensors\"}}");
        var refusal = assertThrows(InvalidFileException.class, () -> Checkpoint.open(folder));
        assertTrue(refusal.getMessage().contains("x.safetensors: tensor a is missing"), refusal.getMessage());
    }

    private void refused(Path file, String reason) {
        var refusal = assertTimeoutPreemptively(Duration.ofSeconds(1), () ->
                assertThrows(InvalidFileException.class, () -> {
                    try (var arena = Arena.ofConfined()) {
                        SafetensorsFile.open(file, arena);
                    }
                }));
        assertTrue(refusal.getMessage().contains(reason), refusal.getMessage());
        assertTrue(refusal.getMessage().startsWith(file.toString()), refusal.getMessage());
    }

    private Path file(String header, int data) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return bytes(ByteBuffer.allocate(8 + json.length + data).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json));
    }

    private Path bytes(ByteBuffer content) throws IOException {
        return Files.write(folder.resolve("hostile.safetensors"), content.array());
    }
}
