package dev.sluice.bench.operation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.bench.CommandLines;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelsCommandTest {
    private static final String CONFIG = """
            {"vocab_size": 200, "hidden_size": 32, "intermediate_size": 48, "moe_intermediate_size": 16, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2}
            """;

    @TempDir
    Path folder;

    @Test
    void everyOperationIsTimedBesideItsFloor() throws IOException {
        Path config = Files.writeString(folder.resolve("config.json"), CONFIG);
        var result = CommandLines.run("kernels", "--model", config.toString(), "--backend", "cpu", "--tokens", "40", "--rank", "4", "--cache-mib", "0",
                "--tflops", "0.1", "--terabytes", "0.01", "--json");
        assertEquals(0, result.exitCode(), result.err());
        var mapper = new ObjectMapper();
        var names = new TreeSet<String>();
        for (String line : result.out().lines().toList()) {
            var json = mapper.readTree(line);
            names.add(json.get("operation").asText());
            assertTrue(json.get("ms").asDouble() > 0 && json.get("floor_ms").asDouble() > 0, line);
            assertEquals(1, json.get("sets").asInt());
            assertEquals(40, json.get("tokens").asInt());
        }
        assertEquals(29, names.size(), names.toString());
    }

    @Test
    void smallOperationsRotateOverMoreThanTheCache() throws IOException {
        Path config = Files.writeString(folder.resolve("config.json"), CONFIG);
        var result = CommandLines.run("kernels", "--model", config.toString(), "--backend", "cpu", "--tokens", "512", "--only", "add", "--cache-mib", "1",
                "--tflops", "0.1", "--terabytes", "0.01", "--json");
        assertEquals(3 * (1 << 20) / (3 * 512 * 32 * 4), new ObjectMapper().readTree(result.out()).get("sets").asInt());
    }
}
