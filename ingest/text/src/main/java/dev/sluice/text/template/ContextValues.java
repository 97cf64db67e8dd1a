package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Brings the variables that a caller gives into the values that templates compute with. Values already in that form,
/// which is what the record parser gives, are taken as they are.
final class ContextValues {

    private static final int MAX_DEPTH = 500;

    private ContextValues() {}

    static Map<String, Object> of(Map<String, ?> context) {
        var values = new LinkedHashMap<String, Object>();
        context.forEach((name, value) -> values.put(name, of(name, value, 0)));
        return values;
    }

    private static Object of(String name, Object value, int depth) {
        if (depth > MAX_DEPTH) {
            throw new IllegalArgumentException("The template variable '" + name + "' is nested deeper than " + MAX_DEPTH + " levels.");
        }
        return switch (value) {
            case null -> null;
            case String text -> text;
            case Boolean flag -> flag;
            case Long number -> number;
            case Double number -> number;
            case BigInteger number -> Numbers.integer(number);
            case Integer number -> number.longValue();
            case Short number -> number.longValue();
            case Float number -> number.doubleValue();
            case List<?> items -> list(name, items, depth);
            case Map<?, ?> fields -> map(name, fields, depth);
            default -> throw new IllegalArgumentException("The template variable '" + name + "' holds a "
                    + value.getClass().getName() + "; only JSON values are allowed.");
        };
    }

    private static List<?> list(String name, List<?> items, int depth) {
        var copy = new ArrayList<Object>(items.size());
        boolean same = true;
        for (Object item : items) {
            Object value = of(name, item, depth + 1);
            same &= value == item;
            copy.add(value);
        }
        return same ? items : copy;
    }

    private static Map<?, ?> map(String name, Map<?, ?> fields, int depth) {
        var copy = new LinkedHashMap<Object, Object>();
        boolean same = true;
        for (var field : fields.entrySet()) {
            if (!(field.getKey() instanceof String)) {
                throw new IllegalArgumentException("The template variable '" + name + "' holds an object whose keys are not text.");
            }
            Object value = of(name, field.getValue(), depth + 1);
            same &= value == field.getValue();
            copy.put(field.getKey(), value);
        }
        return same ? fields : copy;
    }
}
