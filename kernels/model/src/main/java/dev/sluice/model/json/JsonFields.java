package dev.sluice.model.json;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.model.InvalidFileException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// Typed, checked access to the fields of one JSON object; every failure names the file and the field.
/// A field that is absent and one that is `null` are the same, as in Hugging Face's configurations.
public final class JsonFields {
    private static final long LARGEST_FILE = 64L << 20;
    private static final ObjectMapper JSON = new ObjectMapper(
            new JsonFactoryBuilder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);


    private final Path file;
    private final String path;
    private final JsonNode object;

    private JsonFields(Path file, String path, JsonNode object) {
        this.file = file;
        this.path = path;
        this.object = object;
    }

    /// Reads a file that holds one JSON object.
    ///
    /// @throws InvalidFileException if it is missing, too large or not a JSON object
    public static JsonFields read(Path file) {
        try {
            if (Files.size(file) > LARGEST_FILE) {
                throw new InvalidFileException(file, "a JSON file may have at most " + LARGEST_FILE + " bytes, this one has "
                        + Files.size(file));
            }
            JsonNode root = JSON.readTree(Files.readAllBytes(file));
            if (root == null || !root.isObject()) {
                throw new InvalidFileException(file, "a JSON object was expected");
            }
            return new JsonFields(file, "", root);
        } catch (NoSuchFileException e) {
            throw new InvalidFileException(file, "the file does not exist", e);
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(file, "not valid JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new InvalidFileException(file, "cannot be read: " + e.getMessage(), e);
        }
    }

    public Path file() {
        return file;
    }

    /// The raw value, or null where it is absent or `null`.
    public JsonNode get(String field) {
        JsonNode value = object.get(field);
        return value == null || value.isNull() ? null : value;
    }

    /// Names of all fields, in the file's order.
    public List<String> names() {
        return object.properties().stream().map(Map.Entry::getKey).toList();
    }

    public boolean has(String field) {
        return get(field) != null;
    }

    /// The object in `field`, empty where it is absent.
    public JsonFields object(String field) {
        JsonNode value = get(field);
        if (value != null && !value.isObject()) {
            throw wrong(field, "an object", value);
        }
        return new JsonFields(file, path + field + ".", value == null ? JSON.createObjectNode() : value);
    }

    /// The first of several spellings that is present, else the first.
    public String spelling(String... fields) {
        for (String field : fields) {
            if (has(field)) {
                return field;
            }
        }
        return fields[0];
    }

    /// An integer between 1 and `largest`.
    public int count(String field, int largest) {
        return integer(field, 1, largest);
    }

    public int count(String field, int largest, int otherwise) {
        return has(field) ? count(field, largest) : otherwise;
    }

    public int integer(String field, int smallest, int largest) {
        JsonNode value = need(field, "an integer");
        boolean whole = value.isIntegralNumber() || value.isFloatingPointNumber() && value.doubleValue() == Math.rint(value.doubleValue());
        if (!whole || value.doubleValue() < smallest || value.doubleValue() > largest) {
            throw wrong(field, "an integer in " + smallest + ".." + largest, value);
        }
        return value.intValue();
    }

    /// A finite number above zero.
    public double positive(String field) {
        JsonNode value = need(field, "a number");
        if (!value.isNumber() || !(value.doubleValue() > 0) || Double.isInfinite(value.doubleValue())) {
            throw wrong(field, "a number above 0", value);
        }
        return value.doubleValue();
    }

    public double positive(String field, double otherwise) {
        return has(field) ? positive(field) : otherwise;
    }

    public boolean flag(String field, boolean otherwise) {
        JsonNode value = get(field);
        if (value != null && !value.isBoolean()) {
            throw wrong(field, "true or false", value);
        }
        return value == null ? otherwise : value.booleanValue();
    }

    public String text(String field, String otherwise) {
        JsonNode value = get(field);
        if (value != null && !value.isTextual()) {
            throw wrong(field, "a string", value);
        }
        return value == null ? otherwise : value.textValue();
    }

    /// What a field should be and is not.
    public InvalidFileException wrong(String field, String wanted, JsonNode found) {
        String shown = String.valueOf(found);
        return new InvalidFileException(file, path + field + " should be " + wanted + ", found "
                + (shown.length() > 80 ? shown.substring(0, 80) + "…" : shown));
    }

    private JsonNode need(String field, String wanted) {
        JsonNode value = get(field);
        if (value == null) {
            throw wrong(field, wanted, null);
        }
        return value;
    }
}
