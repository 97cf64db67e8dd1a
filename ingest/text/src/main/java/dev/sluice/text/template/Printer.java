package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/// Python's `str` and `repr`.
final class Printer {

    private final StringBuilder out = new StringBuilder();
    private final Meter meter;

    private Printer(Meter meter) {
        this.meter = meter;
    }

    static String str(Object value, Meter meter) {
        return switch (value) {
            case String text -> text;
            case Markup markup -> markup.text();
            case Undefined ignored -> "";
            case null, default -> repr(value, meter);
        };
    }

    static String repr(Object value, Meter meter) {
        var printer = new Printer(meter);
        printer.print(value);
        return printer.out.toString();
    }

    private void print(Object value) {
        meter.step();
        switch (value) {
            case null -> put("None");
            case Boolean flag -> put(flag ? "True" : "False");
            case Long number -> put(number.toString());
            case BigInteger number -> put(number.toString());
            case Double number -> put(Numbers.text(number));
            case String text -> text(text);
            case Markup markup -> {
                put("Markup(");
                text(markup.text());
                put(")");
            }
            case Undefined ignored -> put("Undefined");
            case List<?> items -> items("[", items, "]");
            case Tuple tuple -> items("(", tuple.items(), tuple.items().size() == 1 ? ",)" : ")");
            case Map<?, ?> fields -> fields(fields);
            case View view -> items(view.type() + "([", view.items(), "])");
            case Range range -> put("range(" + range.start() + ", " + range.stop()
                    + (range.step() == 1 ? ")" : ", " + range.step() + ")"));
            default -> throw EvaluationError.unsupported("printing a " + Types.name(value));
        }
    }

    private void items(String open, List<?> items, String close) {
        put(open);
        String separator = "";
        for (Object item : items) {
            put(separator);
            print(item);
            separator = ", ";
        }
        put(close);
    }

    private void fields(Map<?, ?> fields) {
        put("{");
        String separator = "";
        for (var field : fields.entrySet()) {
            put(separator);
            print(field.getKey());
            put(": ");
            print(field.getValue());
            separator = ", ";
        }
        put("}");
    }

    private void text(String text) {
        meter.characters(text.length() + 2L);
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        out.append(quote);
        text.codePoints().forEach(c -> character(c, quote));
        out.append(quote);
    }

    private void character(int c, char quote) {
        switch (c) {
            case '\n' -> out.append("\\n");
            case '\r' -> out.append("\\r");
            case '\t' -> out.append("\\t");
            case '\\' -> out.append("\\\\");
            default -> {
                if (c == quote) {
                    out.append('\\').append(quote);
                } else if (isPrintable(c)) {
                    out.appendCodePoint(c);
                } else {
                    out.append(c < 0x100 ? "\\x%02x".formatted(c) : c < 0x10000 ? "\\u%04x".formatted(c) : "\\U%08x".formatted(c));
                }
            }
        }
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED,
                    Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    private void put(String text) {
        meter.characters(text.length());
        out.append(text);
    }
}
