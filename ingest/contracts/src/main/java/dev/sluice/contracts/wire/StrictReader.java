package dev.sluice.contracts.wire;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.InvalidFormatException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/// Reads what a person wrote: a field that nobody knows is a mistake there (a misspelt learning rate must not train with
/// the default), and every wrong field is reported with its path. Events from other programs are read by [Json] instead.
public final class StrictReader {

    private static final ObjectMapper MAPPER = Json.mapper().copy().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    private StrictReader() {}

    /// @throws InvalidFieldsException naming every wrong field that can be found at once
    public static <T> T read(JsonNode json, Class<T> type) {
        try {
            return MAPPER.treeToValue(json, type);
        } catch (JsonProcessingException first) {
            throw new InvalidFieldsException(allErrors(json, type, first));
        }
    }

    /// Jackson stops at the first wrong object: take that member out and look again, until the rest is right.
    private static <T> List<FieldError> allErrors(JsonNode json, Class<T> type, JsonProcessingException first) {
        List<FieldError> errors = new ArrayList<>(errors(first));
        if (!(json.deepCopy() instanceof ObjectNode rest)) {
            return errors;
        }
        JsonProcessingException failure = first;
        String member;
        while ((member = topMember(failure)) != null && rest.has(member)) {
            rest.remove(member);
            try {
                MAPPER.treeToValue(rest, type);
                return errors;
            } catch (JsonProcessingException next) {
                failure = next;
                if (topMember(next) != null) {
                    errors.addAll(errors(next));
                }
            }
        }
        return errors;
    }

    private static String topMember(JsonProcessingException failure) {
        return failure instanceof JsonMappingException mapping && !mapping.getPath().isEmpty() ? mapping.getPath().getFirst().getFieldName() : null;
    }

    private static List<FieldError> errors(JsonProcessingException failure) {
        String path = failure instanceof JsonMappingException mapping ? path(mapping) : "";
        if (failure.getCause() instanceof InvalidFieldsException invalid) {
            return invalid.errors().stream().map(error -> path.isEmpty() ? error : error.within(path)).toList();
        }
        return List.of(new FieldError(path, message(failure)));
    }

    private static String message(JsonProcessingException failure) {
        return switch (failure) {
            case UnrecognizedPropertyException unknown -> "is not a field; known here: "
                    + unknown.getKnownPropertyIds().stream().map(Object::toString).sorted().collect(Collectors.joining(", "));
            case InvalidFormatException format when format.getTargetType().isEnum() -> "must be one of " + names(format.getTargetType())
                    + ", was '" + format.getValue() + "'";
            case JsonProcessingException other when other.getCause() instanceof IllegalArgumentException cause -> cause.getMessage();
            case JsonProcessingException other -> other.getOriginalMessage();
        };
    }

    private static String names(Class<?> type) {
        return Arrays.stream(type.getEnumConstants()).map(constant -> MAPPER.convertValue(constant, String.class))
                .collect(Collectors.joining(", "));
    }

    private static String path(JsonMappingException failure) {
        return failure.getPath().stream().map(step -> step.getFieldName() == null ? "[" + step.getIndex() + "]" : step.getFieldName())
                .collect(Collectors.joining(".")).replace(".[", "[");
    }
}
