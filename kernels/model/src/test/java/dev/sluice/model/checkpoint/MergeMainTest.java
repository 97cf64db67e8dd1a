package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.model.Golden;
import dev.sluice.model.Tensors;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MergeMainTest {
    private final String model = Golden.folder(Golden.ELEVEN_EXPERTS).resolve("model").toString();
    private final String adapter = Golden.folder(Golden.ELEVEN_EXPERTS).resolve("adapter-init").toString();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @TempDir
    Path folder;

    @Test
    void foldersAreMerged() {
        assertEquals(0, run(model, adapter, folder.resolve("out").toString(), "float32"), this::message);
        assertTrue(Tensors.read(folder.resolve("out/model.safetensors")).containsKey("model.embed_tokens.weight"));
    }

    @Test
    void whatIsWrongIsOneLine() {
        assertFails(1, "config.json: the file does not exist", folder.toString(), adapter, folder.resolve("out").toString());
        assertFails(1, "adapter_model.safetensors: the file does not exist", model, model, folder.resolve("out").toString());
        assertFails(2, "give MODEL ADAPTER OUT", model);
        assertFails(2, "the type must be float32, bfloat16 or float16, was int8", model, adapter, folder.resolve("out").toString(), "int8");
        assertFails(2, "is there already", model, adapter, folder.toString());
    }

    private void assertFails(int code, String reason, String... arguments) {
        err.reset();
        assertEquals(code, run(arguments), this::message);
        assertTrue(message().startsWith("sluice: ") && message().contains(reason) && message().lines().count() == 1, this::message);
    }

    private int run(String... arguments) {
        return MergeMain.run(new PrintStream(err, true, StandardCharsets.UTF_8), arguments);
    }

    private String message() {
        return err.toString(StandardCharsets.UTF_8);
    }
}
