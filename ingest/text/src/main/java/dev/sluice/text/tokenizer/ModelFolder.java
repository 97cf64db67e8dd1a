package dev.sluice.text.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Reads the small text files of a downloaded model, none larger than 8 MiB.
record ModelFolder(Path path) {

    private static final int MAX_BYTES = 8 << 20;
    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(100).build()).build());

    ModelFolder {
        if (!Files.isDirectory(path)) {
            throw new ModelFileException(path, "is not a folder.",
                    "Name the folder of a Hugging Face checkpoint, the one that holds tokenizer.json and config.json.");
        }
    }

    boolean has(String name) {
        return Files.isRegularFile(path.resolve(name));
    }

    /// The file's JSON, or a missing node where there is no such file.
    JsonNode json(String name) {
        if (!has(name)) {
            return MissingNode.getInstance();
        }
        try {
            return JSON.readTree(text(name));
        } catch (JsonProcessingException e) {
            throw damaged(name, "is not valid JSON: " + e.getOriginalMessage() + ".", e);
        }
    }

    String text(String name) {
        Path file = path.resolve(name);
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw damaged(name, "has " + Files.size(file) + " bytes, more than the " + MAX_BYTES + " it may have.", null);
            }
            return Files.readString(file);
        } catch (IOException e) {
            throw damaged(name, "cannot be read as UTF-8 text: " + e.getMessage() + ".", e);
        }
    }

    ModelFileException damaged(String name, String problem, Throwable cause) {
        return new ModelFileException(path.resolve(name), problem, "Download the file again from the model's repository.", cause);
    }
}
