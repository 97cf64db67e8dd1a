package dev.sluice.text.record;

import java.util.Collection;
import java.util.List;
import java.util.Map;

/// The fields of one JSON object, with the name of its place for messages. A field that is null counts as absent, as
/// columnar files fill missing columns with null.
record Fields(String place, Map<?, ?> values) {

    static Fields of(String place, Object value) {
        if (value instanceof Map<?, ?> object) {
            return new Fields(place, object);
        }
        throw new RefusedException(Refusal.WRONG_TYPE, place + " is " + describe(value) + ", but must be a JSON object.");
    }

    boolean has(String name) {
        return values.get(name) != null;
    }

    Object get(String name) {
        return values.get(name);
    }

    Collection<?> names() {
        return values.keySet().stream().limit(20).toList();
    }

    String textOrEmpty(String name) {
        return switch (values.get(name)) {
            case null -> "";
            case String text -> text;
            case Object other -> throw wrong(name, other, "text");
        };
    }

    String text(String name) {
        String text = textOrEmpty(name);
        if (text.isEmpty()) {
            throw new RefusedException(Refusal.EMPTY, place + ": '" + name + "' is empty. Leave such records out.");
        }
        return text;
    }

    List<?> list(String name) {
        if (!(values.get(name) instanceof List<?> items)) {
            throw wrong(name, values.get(name), "a list");
        }
        if (items.isEmpty()) {
            throw new RefusedException(Refusal.EMPTY, place + ": '" + name + "' has no entries. Leave such records out.");
        }
        return items;
    }

    RefusedException wrong(String name, Object found, String wanted) {
        return new RefusedException(Refusal.WRONG_TYPE, place + ": '" + name + "' is " + describe(found) + ", but must be "
                + wanted + ".");
    }

    static String describe(Object value) {
        return switch (value) {
            case null -> "missing or null";
            case String ignored -> "text";
            case Number ignored -> "a number";
            case Boolean ignored -> "a boolean";
            case List<?> ignored -> "a list";
            default -> "an object";
        };
    }
}
