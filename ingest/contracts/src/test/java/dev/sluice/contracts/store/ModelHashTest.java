package dev.sluice.contracts.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ModelHashTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(ints = {0, 100, 4096, 70_000, 1_000_000})
    void equalFilesElsewhereAreTheSameModel(int bytes) throws IOException {
        assertEquals(ModelHash.of(model("here", 1, bytes)), ModelHash.of(model("there", 1, bytes)));
    }

    @ParameterizedTest
    @ValueSource(ints = {100, 4096, 70_000, 1_000_000})
    void otherWeightsOfTheSameShapesAreAnotherModel(int bytes) throws IOException {
        assertNotEquals(ModelHash.of(model("base", 1, bytes)), ModelHash.of(model("tuned", 2, bytes)));
    }

    @Test
    void whatTheEndHoldsCounts() throws IOException {
        Path model = model("model", 1, 1_000_003);
        String before = ModelHash.of(model);
        Path weights = model.resolve("model.safetensors");
        byte[] content = Files.readAllBytes(weights);
        content[content.length - 1] ^= 1;
        Files.write(weights, content);
        assertNotEquals(before, ModelHash.of(model));
    }

    @Test
    void otherFilesDoNotCount() throws IOException {
        Path model = model("model", 1, 5000);
        String before = ModelHash.of(model);
        Files.writeString(model.resolve("README.md"), "words");
        assertEquals(before, ModelHash.of(model));
    }

    @Test
    void aFolderWithoutWeightsIsNoModel() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{}");
        assertThrows(IOException.class, () -> ModelHash.of(folder));
    }

    private Path model(String name, long seed, int bytes) throws IOException {
        Path model = Files.createDirectories(folder.resolve(name));
        Files.writeString(model.resolve("config.json"), "{}");
        byte[] header = "{}".getBytes(StandardCharsets.UTF_8);
        byte[] numbers = new byte[bytes];
        new Random(seed).nextBytes(numbers);
        Files.write(model.resolve("model.safetensors"), ByteBuffer.allocate(Long.BYTES + header.length + bytes).order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length).put(header).put(numbers).array());
        return model;
    }
}
