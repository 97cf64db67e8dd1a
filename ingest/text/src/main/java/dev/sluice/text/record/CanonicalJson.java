package dev.sluice.text.record;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The one spelling of an example: UTF-8, no spaces, fields in the order of the normalised example. Nested values keep
/// the sender's order, because a template that prints them does so too.
public final class CanonicalJson {

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(JsonWriteFeature.COMBINE_UNICODE_SURROGATES_IN_UTF8).build();

    private CanonicalJson() {}

    /// The example as a record of the same format, which [RecordParser] reads back equal.
    public static byte[] write(Example example) {
        var out = new ByteArrayOutputStream(512);
        try (JsonGenerator json = FACTORY.createGenerator(out)) {
            write(json, fields(example));
        } catch (IOException e) {
            throw new IllegalStateException("Writing to memory cannot fail.", e);
        }
        return out.toByteArray();
    }

    private static Map<String, Object> fields(Example example) {
        var fields = new LinkedHashMap<String, Object>();
        switch (example) {
            case Example.Conversation(var messages, var tools) -> {
                fields.put("messages", messages);
                putTools(fields, tools);
            }
            case Example.MessageCompletion(var prompt, var completion, var tools) -> {
                fields.put("prompt", prompt);
                fields.put("completion", completion);
                putTools(fields, tools);
            }
            case Example.TextCompletion(var prompt, var completion) -> {
                fields.put("prompt", prompt);
                fields.put("completion", completion);
            }
            case Example.PlainText(var text) -> fields.put("text", text);
        }
        return fields;
    }

    private static void putTools(Map<String, Object> fields, List<Object> tools) {
        if (!tools.isEmpty()) {
            fields.put("tools", tools);
        }
    }

    private static void write(JsonGenerator json, Object value) throws IOException {
        switch (value) {
            case null -> json.writeNull();
            case String text -> json.writeString(text);
            case Boolean bool -> json.writeBoolean(bool);
            case Long integer -> json.writeNumber(integer);
            case BigInteger integer -> json.writeNumber(integer);
            case Double number -> json.writeNumber(number);
            case List<?> items -> writeArray(json, items);
            case Map<?, ?> fields -> writeObject(json, fields);
            default -> throw new IllegalArgumentException("Not a JSON value: " + value.getClass().getName());
        }
    }

    private static void writeArray(JsonGenerator json, List<?> items) throws IOException {
        json.writeStartArray();
        for (Object item : items) {
            write(json, item);
        }
        json.writeEndArray();
    }

    private static void writeObject(JsonGenerator json, Map<?, ?> fields) throws IOException {
        json.writeStartObject();
        for (var field : fields.entrySet()) {
            json.writeFieldName((String) field.getKey());
            write(json, field.getValue());
        }
        json.writeEndObject();
    }
}
