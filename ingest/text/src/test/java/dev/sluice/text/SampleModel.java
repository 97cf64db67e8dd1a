package dev.sluice.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.text.tokenizer.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// A tokenizer of 400 tokens with a chat template, and rows with the ids and masks that transformers 5.18 gives them.
/// `rows.jsonl` holds `{"record", "ids", "mask"}`.
public final class SampleModel {

    private static final ObjectMapper JSON = new ObjectMapper();

    private SampleModel() {}

    public static Path folder() {
        try {
            return Path.of(SampleModel.class.getResource("model/tokenizer.json").toURI()).getParent();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    public static Tokenizer tokenizer() {
        return Tokenizer.load(folder());
    }

    public static List<JsonNode> rows() {
        try (var lines = Files.lines(folder().resolve("rows.jsonl"))) {
            return lines.map(SampleModel::read).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode read(String line) {
        try {
            return JSON.readTree(line);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
