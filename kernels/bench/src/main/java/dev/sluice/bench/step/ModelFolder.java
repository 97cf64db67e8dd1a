package dev.sluice.bench.step;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.bench.Refusal;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// What `--model` means: a folder with `config.json`, and with weights unless only the shape is known. A name, a lone configuration
/// file and a model with other layers than its own get a temporary folder, which [#close] deletes.
///
/// @param name to show
/// @param weights whether the folder is a checkpoint
public record ModelFolder(String name, Path path, boolean weights, boolean temporary) implements AutoCloseable {
    /// Published shapes that this jar carries.
    public static final List<String> NAMES = List.of("qwen3-30b-a3b", "gpt-oss-20b", "glm-4.7-flash", "gemma-3-27b");

    private static final String CONFIG = "config.json";
    private static final ObjectMapper JSON = new ObjectMapper();

    /// @param model one of [#NAMES], a checkpoint folder, or a `config.json` under any name
    /// @throws Refusal if it is none of these
    public static ModelFolder named(String model) {
        return of(model, 0, StackPacking.NONE);
    }

    /// @param layers take only the first so many, 0 for all
    /// @param packing that random stacks of experts come in
    static ModelFolder of(String model, int layers, StackPacking packing) {
        Path path = Path.of(model);
        boolean known = NAMES.contains(model);
        boolean folder = !known && Files.isRegularFile(path.resolve(CONFIG));
        if (!known && !folder && !Files.isRegularFile(path)) {
            throw new Refusal("--model " + model + " is neither a folder with " + CONFIG + " nor such a file nor one of "
                    + String.join(", ", NAMES));
        }
        try {
            if (folder && layers == 0 && packing == StackPacking.NONE) {
                return new ModelFolder(model, path, hasWeights(path), false);
            }
            byte[] config = known ? resource(model) : Files.readAllBytes(folder ? path.resolve(CONFIG) : path);
            var made = new ModelFolder(model, Files.createTempDirectory("sluice-bench"), folder && hasWeights(path), true);
            Files.write(made.path.resolve(CONFIG), JSON.writeValueAsBytes(packing.into(cut(model, JSON.readTree(config), layers))));
            if (made.weights) {
                made.link(path);
            }
            return made;
        } catch (JsonProcessingException e) {
            throw new Refusal("--model " + model + " is not valid JSON: " + e.getOriginalMessage());
        } catch (IOException e) {
            throw new UncheckedIOException("--model " + model + ": " + e.getMessage(), e);
        }
    }

    private static byte[] resource(String model) throws IOException {
        try (InputStream in = ModelFolder.class.getResourceAsStream("/dev/sluice/bench/models/" + model + ".json")) {
            return in.readAllBytes();
        }
    }

    private static boolean hasWeights(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.anyMatch(file -> file.toString().endsWith(".safetensors"));
        }
    }

    private static ObjectNode cut(String model, JsonNode root, int layers) {
        if (!(root instanceof ObjectNode config)) {
            throw new Refusal("--model " + model + " should hold a JSON object");
        }
        int own = config.path("num_hidden_layers").asInt();
        if (layers > own) {
            throw new Refusal("--layers " + layers + ": " + model + " has only " + own);
        }
        if (layers > 0) {
            config.put("num_hidden_layers", layers);
            if (config.get("layer_types") instanceof ArrayNode types) {
                while (types.size() > layers) {
                    types.remove(types.size() - 1);
                }
            }
        }
        return config;
    }

    private void link(Path checkpoint) throws IOException {
        try (Stream<Path> files = Files.list(checkpoint)) {
            for (Path file : files.filter(one -> one.getFileName().toString().contains(".safetensors")).toList()) {
                Files.createSymbolicLink(path.resolve(file.getFileName()), file.toAbsolutePath());
            }
        }
    }

    @Override
    public void close() {
        if (!temporary) {
            return;
        }
        try (Stream<Path> files = Files.list(path)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
