package dev.sluice.contracts.wire;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;

/// The one JSON dialect of the pipeline: snake_case names, ISO instants, absent instead of null, unknown fields ignored,
/// and hard limits on depth and size, because a message can come from anyone.
public final class Json {

    /// Levels of nesting a message may have.
    public static final int MAX_DEPTH = 64;
    /// Characters a single string may have.
    public static final int MAX_STRING_CHARACTERS = 8 << 20;
    /// Characters a number may have.
    public static final int MAX_NUMBER_CHARACTERS = 100;

    private static final JsonMapper MAPPER = build(MAX_DEPTH);

    private Json() {}

    /// The shared mapper. Configured for good: copy it before changing anything.
    public static ObjectMapper mapper() {
        return MAPPER;
    }

    /// Reads a message.
    ///
    /// @throws JsonProcessingException when the bytes are no such message; its text names the field and the place
    public static <T> T read(byte[] json, Class<T> type) throws IOException {
        return MAPPER.readValue(json, type);
    }

    public static JsonNode readTree(byte[] json) throws IOException {
        return MAPPER.readTree(json);
    }

    /// Writes a message as UTF-8 bytes.
    public static byte[] write(Object value) {
        try {
            return MAPPER.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("write " + value.getClass().getSimpleName() + " as JSON: " + e.getOriginalMessage(), e);
        }
    }

    /// One text per value: object members sorted by name, no spaces. Equal values give equal bytes, so it can be hashed.
    public static byte[] canonical(Object value) {
        return write(sorted(MAPPER.valueToTree(value)));
    }

    /// As [#canonical(Object)], as text.
    public static String canonicalText(Object value) {
        return new String(canonical(value), StandardCharsets.UTF_8);
    }

    private static JsonNode sorted(JsonNode node) {
        return switch (node) {
            case ObjectNode object -> {
                Map<String, JsonNode> members = new TreeMap<>();
                object.properties().forEach(member -> members.put(member.getKey(), sorted(member.getValue())));
                yield new ObjectNode(JsonNodeFactory.instance, members);
            }
            case ArrayNode array -> {
                ArrayNode copy = JsonNodeFactory.instance.arrayNode(array.size());
                array.forEach(element -> copy.add(sorted(element)));
                yield copy;
            }
            case JsonNode scalar -> scalar;
        };
    }

    private static JsonMapper build(int depth) {
        JsonFactory factory = JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(depth)
                        .maxStringLength(MAX_STRING_CHARACTERS)
                        .maxNumberLength(MAX_NUMBER_CHARACTERS)
                        .build())
                .build();
        return JsonMapper.builder(factory)
                .addModule(new JavaTimeModule())
                .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                .serializationInclusion(JsonInclude.Include.NON_NULL)
                .disable(SerializationFeature.WRITE_DATES_AS_TIMESTAMPS)
                .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .enable(DeserializationFeature.READ_UNKNOWN_ENUM_VALUES_USING_DEFAULT_VALUE)
                .build();
    }
}
