package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/// Python's `json.dumps`, which is what `tojson` means in a chat template (Jinja's own filter escapes HTML, this one
/// does not).
final class Json {

    /// @param asciiOnly      escape everything beyond ASCII
    /// @param indent         one level of indentation, or null for one line
    /// @param itemSeparator  between elements
    /// @param fieldSeparator between a key and its value
    record Style(boolean asciiOnly, String indent, String itemSeparator, String fieldSeparator, boolean sortKeys) {}

    private final Style style;
    private final Meter meter;
    private final StringBuilder out = new StringBuilder();
    private int depth;

    private Json(Style style, Meter meter) {
        this.style = style;
        this.meter = meter;
    }

    static String dumps(Object value, Style style, Meter meter) {
        var json = new Json(style, meter);
        json.write(value);
        return json.out.toString();
    }

    private void write(Object value) {
        meter.step();
        switch (value) {
            case null -> put("null");
            case Boolean flag -> put(flag.toString());
            case Long number -> put(number.toString());
            case BigInteger number -> put(number.toString());
            case Double number -> put(real(number));
            case String text -> text(text);
            case Markup markup -> text(markup.text());
            case List<?> items -> array(items);
            case Tuple tuple -> array(tuple.items());
            case Map<?, ?> fields -> object(fields);
            default -> throw EvaluationError.refused("Object of type " + Types.name(value) + " is not JSON serializable");
        }
    }

    private static String real(double number) {
        return Double.isNaN(number) ? "NaN" : Double.isInfinite(number) ? number > 0 ? "Infinity" : "-Infinity" : Numbers.text(number);
    }

    private void array(List<?> items) {
        if (items.isEmpty()) {
            put("[]");
            return;
        }
        open("[");
        String separator = "";
        for (Object item : items) {
            put(separator);
            newLine();
            write(item);
            separator = style.itemSeparator;
        }
        close("]");
    }

    private void object(Map<?, ?> fields) {
        if (fields.isEmpty()) {
            put("{}");
            return;
        }
        open("{");
        String separator = "";
        for (Object key : style.sortKeys ? fields.keySet().stream().sorted((a, b) -> Operators.order(a, b, meter)).toList() : fields.keySet()) {
            put(separator);
            newLine();
            text(key(key));
            put(style.fieldSeparator);
            write(fields.get(key));
            separator = style.itemSeparator;
        }
        close("}");
    }

    private static String key(Object key) {
        return switch (key) {
            case null -> "null";
            case String text -> text;
            case Boolean flag -> flag.toString();
            case Double number -> real(number);
            case Number number -> number.toString();
            default -> throw EvaluationError.refused("keys must be str, int, float, bool or None, not " + Types.name(key));
        };
    }

    private void open(String bracket) {
        put(bracket);
        depth++;
    }

    private void close(String bracket) {
        depth--;
        newLine();
        put(bracket);
    }

    private void newLine() {
        if (style.indent != null) {
            meter.characters((long) depth * style.indent.length());
            put("\n");
            out.repeat(style.indent, depth);
        }
    }

    private void text(String text) {
        meter.characters(text.length() + 2L);
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            character(text.charAt(i));
        }
        out.append('"');
    }

    private void character(char c) {
        switch (c) {
            case '"' -> out.append("\\\"");
            case '\\' -> out.append("\\\\");
            case '\n' -> out.append("\\n");
            case '\r' -> out.append("\\r");
            case '\t' -> out.append("\\t");
            case '\b' -> out.append("\\b");
            case '\f' -> out.append("\\f");
            default -> {
                if (c < ' ' || style.asciiOnly && c > '~') {
                    out.append("\\u%04x".formatted((int) c));
                } else {
                    out.append(c);
                }
            }
        }
    }

    private void put(String text) {
        meter.characters(text.length());
        out.append(text);
    }
}
