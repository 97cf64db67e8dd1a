package dev.sluice.model.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.sluice.model.InvalidFileException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads the JSON header of a safetensors file token by token; nothing it says is believed before it is checked.
final class HeaderParser {
    private static final int MOST_DIMENSIONS = 16;
    private static final JsonFactory JSON = new JsonFactoryBuilder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(4).maxStringLength(1 << 20)
                    .maxNameLength(1 << 16).maxNumberLength(32).build())
            .build();

    private final Path file;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final List<TensorEntry> tensors = new ArrayList<>();

    private HeaderParser(Path file) {
        this.file = file;
    }

    /// What a header says.
    record Header(Map<String, String> metadata, List<TensorEntry> tensors) {}

    static Header parse(Path file, InputStream header) {
        var parser = new HeaderParser(file);
        try (JsonParser json = JSON.createParser(header)) {
            parser.object(json);
            parser.need(json.nextToken() == null, "the header holds more than one JSON object");
            return new Header(parser.metadata, parser.tensors);
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(file, "the header is not valid JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new InvalidFileException(file, "the header cannot be read: " + e.getMessage(), e);
        }
    }

    private void object(JsonParser json) throws IOException {
        need(json.nextToken() == JsonToken.START_OBJECT, "the header is not a JSON object");
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String name = json.currentName();
            need(json.nextToken() == JsonToken.START_OBJECT, "tensor " + name + ": an object was expected");
            if (name.equals("__metadata__")) {
                metadata(json);
            } else {
                tensors.add(tensor(json, name));
            }
        }
    }

    private void metadata(JsonParser json) throws IOException {
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String key = json.currentName();
            need(json.nextToken() == JsonToken.VALUE_STRING, "__metadata__ " + key + " must be a string");
            metadata.put(key, json.getText());
        }
    }

    private TensorEntry tensor(JsonParser json, String name) throws IOException {
        String where = "tensor " + name + ": ";
        ElementType type = null;
        long[] shape = null;
        long[] offsets = null;
        while (json.nextToken() == JsonToken.FIELD_NAME) {
            String field = json.currentName();
            json.nextToken();
            switch (field) {
                case "dtype" -> type = type(json, where);
                case "shape" -> shape = numbers(json, where + "shape");
                case "data_offsets" -> offsets = numbers(json, where + "data_offsets");
                default -> throw new InvalidFileException(file, where + "unknown field " + field);
            }
        }
        need(type != null && shape != null && offsets != null, where + "dtype, shape and data_offsets are all needed");
        need(offsets.length == 2 && offsets[0] <= offsets[1], where + "data_offsets must be [begin, end], were "
                + Arrays.toString(offsets));
        var entry = new TensorEntry(name, type, shape, offsets[0], offsets[1]);
        need(size(entry, where) == entry.bytes(), where + type + " " + Arrays.toString(shape) + " does not fill its "
                + entry.bytes() + " bytes");
        return entry;
    }

    private ElementType type(JsonParser json, String where) throws IOException {
        String name = json.getText();
        return ElementType.parse(name).orElseThrow(() -> new InvalidFileException(file, where + "unknown dtype " + name));
    }

    private long[] numbers(JsonParser json, String what) throws IOException {
        need(json.currentToken() == JsonToken.START_ARRAY, what + " must be a list of integers");
        long[] numbers = new long[MOST_DIMENSIONS];
        int count = 0;
        while (json.nextToken() != JsonToken.END_ARRAY) {
            need(json.currentToken() == JsonToken.VALUE_NUMBER_INT, what + " must be a list of integers");
            need(count < MOST_DIMENSIONS, what + " has more than " + MOST_DIMENSIONS + " entries");
            numbers[count] = json.getLongValue();
            need(numbers[count++] >= 0, what + " must not be negative");
        }
        return Arrays.copyOf(numbers, count);
    }

    private long size(TensorEntry entry, String where) {
        try {
            long size = entry.type().bytes();
            for (long dimension : entry.shape()) {
                size = Math.multiplyExact(size, dimension);
            }
            return size;
        } catch (ArithmeticException e) {
            throw new InvalidFileException(file, where + "shape " + Arrays.toString(entry.shape()) + " overflows", e);
        }
    }

    private void need(boolean holds, String reason) {
        if (!holds) {
            throw new InvalidFileException(file, reason);
        }
    }
}
