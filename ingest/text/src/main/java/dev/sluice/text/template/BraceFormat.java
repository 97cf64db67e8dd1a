package dev.sluice.text.template;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Python's `text.format(...)`, with fields by position or name; attributes of a field are left out.
final class BraceFormat {

    private static final Pattern SPEC = Pattern.compile("(?:(.)?([<>^]))?([+ -])?(0)?(\\d{1,6})?(,)?(?:\\.(\\d{1,6}))?([sdfxX])?", Pattern.DOTALL);

    private final CallArguments arguments;
    private final Meter meter;
    private final StringBuilder out = new StringBuilder();
    private int next;

    private BraceFormat(CallArguments arguments, Meter meter) {
        this.arguments = arguments;
        this.meter = meter;
    }

    static String format(String format, CallArguments arguments, Meter meter) {
        var formatter = new BraceFormat(arguments, meter);
        formatter.run(format);
        return formatter.out.toString();
    }

    private void run(String format) {
        for (int at = 0; at < format.length(); ) {
            char c = format.charAt(at);
            boolean doubled = at + 1 < format.length() && format.charAt(at + 1) == c;
            if (c != '{' && c != '}' || doubled) {
                put(Character.toString(c));
                at += doubled && (c == '{' || c == '}') ? 2 : 1;
                continue;
            }
            int end = c == '{' ? format.indexOf('}', at) : -1;
            if (end < 0) {
                throw EvaluationError.refused("Single '" + c + "' encountered in format string");
            }
            put(field(format.substring(at + 1, end)));
            at = end + 1;
        }
    }

    private void put(String text) {
        meter.characters(text.length());
        out.append(text);
    }

    private String field(String field) {
        int colon = field.indexOf(':');
        String spec = colon < 0 ? "" : field.substring(colon + 1);
        String name = colon < 0 ? field : field.substring(0, colon);
        int mark = name.indexOf('!');
        String conversion = mark < 0 ? "" : name.substring(mark + 1);
        Object value = value(mark < 0 ? name : name.substring(0, mark));
        return switch (conversion) {
            case "" -> padded(value, spec);
            case "s" -> padded(Printer.str(value, meter), spec);
            case "r" -> padded(Printer.repr(value, meter), spec);
            default -> throw EvaluationError.unsupported("the conversion !" + conversion);
        };
    }

    private Object value(String name) {
        if (name.isEmpty() || name.chars().allMatch(c -> c >= '0' && c <= '9')) {
            List<Object> positional = arguments.positional();
            int index = name.isEmpty() ? next++ : name.length() > 6 ? Integer.MAX_VALUE : Integer.parseInt(name);
            if (index >= positional.size()) {
                throw EvaluationError.refused("Replacement index " + index + " out of range for positional args tuple");
            }
            return positional.get(index);
        }
        if (!arguments.named().containsKey(name)) {
            throw name.chars().anyMatch(c -> c == '.' || c == '[') ? EvaluationError.unsupported("the format field {" + name + "}")
                    : EvaluationError.refused("KeyError: '" + name + "'");
        }
        return arguments.named().get(name);
    }

    private String padded(Object value, String spec) {
        if (spec.isEmpty()) {
            return Printer.str(value, meter);
        }
        Matcher parts = SPEC.matcher(spec);
        if (!parts.matches() || Values.textOf(value) == null && !Numbers.isNumber(value)) {
            throw EvaluationError.unsupported("the format specification '" + spec + "' of a " + Types.name(value));
        }
        boolean number = Numbers.isNumber(value) && !"s".equals(parts.group(8));
        String text = number ? number(value, parts) : text(value, parts);
        int width = parts.group(5) == null ? 0 : Integer.parseInt(parts.group(5));
        int missing = Math.max(0, width - text.codePointCount(0, text.length()));
        meter.characters(width);
        String fill = parts.group(1) != null ? parts.group(1) : parts.group(4) != null ? "0" : " ";
        String align = parts.group(2) != null ? parts.group(2) : number ? parts.group(4) != null ? "=" : ">" : "<";
        boolean sign = !text.isEmpty() && "+- ".indexOf(text.charAt(0)) >= 0;
        return switch (align) {
            case "<" -> text + fill.repeat(missing);
            case ">" -> fill.repeat(missing) + text;
            case "^" -> fill.repeat(missing / 2) + text + fill.repeat(missing - missing / 2);
            default -> (sign ? text.substring(0, 1) : "") + fill.repeat(missing) + text.substring(sign ? 1 : 0);
        };
    }

    private String text(Object value, Matcher parts) {
        if (parts.group(3) != null || parts.group(6) != null || "dfxX".contains(String.valueOf(parts.group(8)))) {
            throw EvaluationError.refused("Unknown format code '" + parts.group() + "' for object of type 'str'");
        }
        String text = Printer.str(value, meter);
        int length = parts.group(7) == null ? Integer.MAX_VALUE : Integer.parseInt(parts.group(7));
        return length >= text.codePointCount(0, text.length()) ? text : text.substring(0, text.offsetByCodePoints(0, length));
    }

    private static String number(Object value, Matcher parts) {
        String type = parts.group(8) != null ? parts.group(8) : value instanceof Double ? parts.group(7) != null ? "?" : "r" : "d";
        String digits = switch (type) {
            case "d" -> Numbers.big(value).abs().toString();
            case "x" -> Numbers.big(value).abs().toString(16);
            case "X" -> Numbers.big(value).abs().toString(16).toUpperCase(Locale.ROOT);
            case "f" -> PercentFormat.fixed(Math.abs(Numbers.real(value)), parts.group(7) == null ? 6 : Integer.parseInt(parts.group(7)));
            case "r" -> Numbers.text(Math.abs(Numbers.real(value)));
            default -> throw EvaluationError.unsupported("the format specification '" + parts.group() + "'");
        };
        if (parts.group(6) != null) {
            int point = digits.indexOf('.') < 0 ? digits.length() : digits.indexOf('.');
            digits = digits.substring(0, point).replaceAll("(?<=\\d)(?=(\\d{3})+$)", ",") + digits.substring(point);
        }
        boolean negative = Numbers.compare(value, 0L) < 0;
        String plus = parts.group(3) == null || parts.group(3).equals("-") ? "" : parts.group(3);
        return (negative ? "-" : plus) + digits;
    }
}
