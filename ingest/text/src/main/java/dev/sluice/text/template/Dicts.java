package dev.sluice.text.template;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Python's dict: `1`, `1.0` and `True` are one key.
final class Dicts {

    private static final Object MISSING = new Object();

    private Dicts() {}

    static boolean contains(Map<?, ?> fields, Object key) {
        return find(fields, key) != MISSING;
    }

    /// The key's value, or null.
    static Object get(Map<?, ?> fields, Object key) {
        Object value = find(fields, key);
        return value == MISSING ? null : value;
    }

    static void put(LinkedHashMap<Object, Object> fields, Object key, Object value) {
        Object plain = plain(key);
        for (Object existing : Numbers.isNumber(plain) ? fields.keySet() : List.of()) {
            if (Numbers.isNumber(existing) && Numbers.compare(existing, plain) == 0) {
                fields.put(existing, value);
                return;
            }
        }
        fields.put(plain, value);
    }

    private static Object find(Map<?, ?> fields, Object key) {
        Object plain = plain(key);
        if (fields.containsKey(plain)) {
            return fields.get(plain);
        }
        if (Numbers.isNumber(plain)) {
            for (var field : fields.entrySet()) {
                if (Numbers.isNumber(field.getKey()) && Numbers.compare(field.getKey(), plain) == 0) {
                    return field.getValue();
                }
            }
        }
        return MISSING;
    }

    private static Object plain(Object key) {
        return switch (key) {
            case null -> null;
            case String text -> text;
            case Markup markup -> markup.text();
            case Undefined ignored -> key;
            case Tuple ignored -> throw EvaluationError.unsupported("a tuple as a key");
            case Object number when Numbers.isNumber(number) -> number;
            default -> throw EvaluationError.refused("unhashable type: '" + Types.name(key) + "'");
        };
    }
}
