package dev.sluice.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ArgumentsTest {
    @TempDir
    Path folder;

    /// arguments; what the one line must say
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "step | Missing required option: '--model",
        "step --model nowhere | neither a folder with config.json nor such a file nor one of qwen3-30b-a3b, gpt-oss-20b, glm-4.7-flash, gemma-3-27b",
        "step --model qwen3-30b-a3b --layers 49 | --layers 49: qwen3-30b-a3b has only 48",
        "step --model qwen3-30b-a3b --layers -1 | --layers should be at least 1, was -1",
        "step --model qwen3-30b-a3b --contexts 12x | is not an int",
        "step --model qwen3-30b-a3b --contexts 63 --documents 32 | --contexts 63: 32 documents need at least 64 tokens",
        "step --model qwen3-30b-a3b --rank 0 | --rank should be at least 1, was 0",
        "step --model qwen3-30b-a3b --steps 0 | --steps should be at least 1, was 0",
        "step --model qwen3-30b-a3b --policy sometimes | should be auto or one of [host, input, attn, mid, qkv, all], was sometimes",
        "step --model qwen3-30b-a3b --optimizer-state tiny | tiny",
        "step --model qwen3-30b-a3b --budget-gib 0 | --budget-gib should be above 0, was 0.0",
        "step --model qwen3-30b-a3b --layers 1 --backend cpu --tflops 1 | --tflops and --terabytes belong together",
        "kernels --tokens 0 | --rank and --tokens should be at least 1",
        "check --cases 0 | --cases should be at least 1, was 0",
        "check --seed soon | is not a long"})
    void wrongArgumentsAreOneLineAndExitCodeTwo(String arguments, String message) {
        var result = CommandLines.run(arguments.split(" "));
        assertEquals(2, result.exitCode(), result.err());
        assertTrue(result.err().contains(message), result.err());
        assertEquals(1, result.err().lines().count(), result.err());
        assertEquals("", result.out());
    }

    @Test
    void absentBackendIsOneLineAndExitCodeOne() {
        var result = CommandLines.run("check", "--backend", "abacus");
        assertEquals(1, result.exitCode());
        assertEquals(1, result.err().lines().count(), result.err());
        assertTrue(result.err().contains("backend abacus does not exist"), result.err());
    }

    @Test
    void familyThatIsNotImplementedIsNamedWithTheModel() throws IOException {
        Path config = Files.writeString(folder.resolve("mamba.json"), "{\"model_type\":\"mamba\",\"num_hidden_layers\":2}");
        var result = CommandLines.run("step", "--model", config.toString(), "--layers", "1");
        assertEquals(2, result.exitCode());
        assertEquals(1, result.err().lines().count(), result.err());
        assertTrue(result.err().contains("cannot be trained yet: " + config + "/config.json: model_type mamba is not supported"), result.err());
    }

    @Test
    void configurationThatIsNoJsonIsRefused() throws IOException {
        Path config = Files.writeString(folder.resolve("broken.json"), "{");
        var result = CommandLines.run("kernels", "--model", config.toString());
        assertEquals(2, result.exitCode());
        assertTrue(result.err().contains("is not valid JSON"), result.err());
    }
}
