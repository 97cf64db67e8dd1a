package dev.sluice.text.record;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Bytes to JSON values, strictly and within limits.
final class JsonReader {

    private static final int NUMBER_LENGTH = 100;

    private final RecordLimits limits;
    private final JsonFactory factory;

    JsonReader(RecordLimits limits) {
        this.limits = limits;
        this.factory = JsonFactory.builder().streamReadConstraints(StreamReadConstraints.builder()
                .maxDocumentLength(limits.bytes())
                .maxStringLength(limits.stringLength())
                .maxNameLength(Math.min(limits.stringLength(), 50_000))
                .maxNumberLength(NUMBER_LENGTH)
                .maxNestingDepth(limits.depth() + 1)
                .build()).build();
    }

    /// @throws RefusedException with the reason
    Object read(byte[] bytes) {
        if (bytes.length > limits.bytes()) {
            throw new RefusedException(Refusal.TOO_LARGE, "The record has " + bytes.length + " bytes, more than the "
                    + limits.bytes() + " allowed. Split it into several records.");
        }
        return read(decode(bytes));
    }

    Object read(String json) {
        try (JsonParser parser = factory.createParser(json)) {
            if (parser.nextToken() == null) {
                throw new RefusedException(Refusal.NOT_JSON, "The record is empty. Send one JSON object a record.");
            }
            Object value = value(parser, 0);
            if (parser.nextToken() != null) {
                throw new RefusedException(Refusal.NOT_JSON, "After the first JSON value, more text follows at "
                        + place(parser) + ". Send one JSON object a record.");
            }
            return value;
        } catch (StreamConstraintsException e) {
            throw new RefusedException(Refusal.TOO_LARGE, "Reading the record's JSON stopped at a limit: "
                    + e.getOriginalMessage() + ". Split or shorten the record.");
        } catch (JsonProcessingException e) {
            throw new RefusedException(Refusal.NOT_JSON, "The record is not valid JSON: " + e.getOriginalMessage()
                    + place(e) + ". Send one JSON object a record.");
        } catch (IOException e) {
            throw new IllegalStateException("Reading from memory cannot fail.", e);
        }
    }

    private static String decode(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new RefusedException(Refusal.NOT_UTF8, "The record is not valid UTF-8. Send it UTF-8 encoded.");
        }
    }

    private Object value(JsonParser parser, int depth) throws IOException {
        return switch (parser.currentToken()) {
            case START_OBJECT -> object(parser, deeper(parser, depth));
            case START_ARRAY -> array(parser, deeper(parser, depth));
            case VALUE_STRING -> whole(parser.getText(), parser);
            case VALUE_NUMBER_INT -> integer(parser);
            case VALUE_NUMBER_FLOAT -> real(parser);
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            case END_ARRAY, END_OBJECT, FIELD_NAME, NOT_AVAILABLE, VALUE_EMBEDDED_OBJECT ->
                throw new IllegalStateException("No JSON value starts with " + parser.currentToken() + ".");
        };
    }

    private int deeper(JsonParser parser, int depth) {
        if (depth == limits.depth()) {
            throw new RefusedException(Refusal.TOO_DEEP, "JSON is nested deeper than " + limits.depth() + " levels at "
                    + place(parser) + ". Flatten it, or send nested data as text.");
        }
        return depth + 1;
    }

    private Map<String, Object> object(JsonParser parser, int depth) throws IOException {
        var fields = new LinkedHashMap<String, Object>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = whole(parser.currentName(), parser);
            if (fields.containsKey(name)) {
                throw new RefusedException(Refusal.DUPLICATE_FIELD, "The field '" + name + "' stands twice in one object, at "
                        + place(parser) + ". Keep one of them.");
            }
            parser.nextToken();
            fields.put(name, value(parser, depth));
        }
        return Collections.unmodifiableMap(fields);
    }

    private List<Object> array(JsonParser parser, int depth) throws IOException {
        var items = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            items.add(value(parser, depth));
        }
        return Collections.unmodifiableList(items);
    }

    private static Object integer(JsonParser parser) throws IOException {
        return switch (parser.getNumberType()) {
            case INT, LONG -> parser.getLongValue();
            case BIG_INTEGER -> parser.getBigIntegerValue();
            case FLOAT, DOUBLE, BIG_DECIMAL -> throw new IllegalStateException("An integer is no fraction.");
        };
    }

    private static Object real(JsonParser parser) throws IOException {
        double number = parser.getDoubleValue();
        if (Double.isInfinite(number)) {
            throw new RefusedException(Refusal.NUMBER_OUT_OF_RANGE, "The number " + parser.getText() + " at " + place(parser)
                    + " is larger than any double. Send it as text.");
        }
        return number;
    }

    private static String whole(String text, JsonParser parser) {
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (!Character.isSurrogate(unit)) {
                continue;
            }
            if (Character.isLowSurrogate(unit) || i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1))) {
                throw new RefusedException(Refusal.LONE_SURROGATE, "A string at " + place(parser)
                        + " holds half a surrogate pair (\\u" + Integer.toHexString(unit)
                        + "). Send whole characters; the text was probably cut in the middle of one.");
            }
            i++;
        }
        return text;
    }

    private static String place(JsonParser parser) {
        var at = parser.currentTokenLocation();
        return "line " + at.getLineNr() + ", column " + at.getColumnNr();
    }

    private static String place(JsonProcessingException e) {
        return e.getLocation() == null ? "" : " at line " + e.getLocation().getLineNr() + ", column "
                + e.getLocation().getColumnNr();
    }
}
