package dev.sluice.text.template;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Python's `text % values`.
final class PercentFormat {

    private static final Pattern FIELD = Pattern.compile("%(?:\\(([^)]*)\\))?([-+ #0]*)(\\d{1,6})?(?:\\.(\\d{1,6}))?[hlL]?(.)", Pattern.DOTALL);

    private final Object values;
    private final Meter meter;
    private int next;

    private PercentFormat(Object values, Meter meter) {
        this.values = values;
        this.meter = meter;
    }

    static String format(String format, Object values, Meter meter) {
        return new PercentFormat(values, meter).format(format);
    }

    private String format(String format) {
        var out = new StringBuilder();
        Matcher field = FIELD.matcher(format);
        int at = 0;
        for (int percent = format.indexOf('%'); percent >= 0; percent = format.indexOf('%', at)) {
            if (!field.find(percent) || field.start() != percent) {
                throw EvaluationError.unsupported("this format: '" + format.substring(percent, Math.min(format.length(), percent + 10)) + "'");
            }
            String text = field.group(5).equals("%") ? "%" : field(field);
            meter.characters((long) percent - at + text.length());
            out.append(format, at, percent).append(text);
            at = field.end();
        }
        refuseLeftOver();
        meter.characters(format.length() - at);
        return out.append(format, at, format.length()).toString();
    }

    private void refuseLeftOver() {
        boolean leftOver = values instanceof Tuple(var items, var ignored) ? next < items.size()
                : next == 0 && !(values instanceof Map<?, ?> || values instanceof List<?> || values instanceof Range || values instanceof Undefined);
        if (leftOver) {
            throw EvaluationError.refused("not all arguments converted during string formatting");
        }
    }

    private Object value(String name) {
        if (name != null) {
            if (!(values instanceof Map<?, ?> fields)) {
                throw EvaluationError.refused("format requires a mapping");
            }
            if (!Dicts.contains(fields, name)) {
                throw EvaluationError.refused("KeyError: '" + name + "'");
            }
            return Dicts.get(fields, name);
        }
        List<Object> items = values instanceof Tuple tuple ? tuple.items() : null;
        if (items == null ? next > 0 : next >= items.size()) {
            throw EvaluationError.refused("not enough arguments for format string");
        }
        return items == null ? valueAlone() : items.get(next++);
    }

    private Object valueAlone() {
        next++;
        return values;
    }

    private String field(Matcher field) {
        Object value = value(field.group(1));
        int precision = field.group(4) == null ? -1 : Integer.parseInt(field.group(4));
        boolean number = "diufFxXo".contains(field.group(5));
        String text = switch (field.group(5)) {
            case "s" -> cut(Printer.str(value, meter), precision);
            case "r" -> cut(Printer.repr(value, meter), precision);
            case "d", "i", "u" -> Numbers.big(whole(value)).toString();
            case "x" -> Numbers.big(integer(value)).toString(16);
            case "X" -> Numbers.big(integer(value)).toString(16).toUpperCase(Locale.ROOT);
            case "o" -> Numbers.big(integer(value)).toString(8);
            case "f", "F" -> fixed(Numbers.real(value), precision < 0 ? 6 : precision);
            default -> throw EvaluationError.unsupported("the format %" + field.group(5));
        };
        if (field.group(2).contains("#") || number && precision >= 0 && !"fF".contains(field.group(5))) {
            throw EvaluationError.unsupported("the format " + field.group());
        }
        return padded(number ? signed(text, field.group(2)) : text, field, number);
    }

    private static String signed(String text, String flags) {
        return text.startsWith("-") ? text : flags.contains("+") ? "+" + text : flags.contains(" ") ? " " + text : text;
    }

    private String padded(String text, Matcher field, boolean number) {
        int width = field.group(3) == null ? 0 : Integer.parseInt(field.group(3));
        int missing = width - text.codePointCount(0, text.length());
        if (missing <= 0) {
            return text;
        }
        meter.characters(width);
        if (field.group(2).contains("-")) {
            return text + " ".repeat(missing);
        }
        boolean sign = number && !text.isEmpty() && "+- ".indexOf(text.charAt(0)) >= 0;
        return number && field.group(2).contains("0")
                ? (sign ? text.substring(0, 1) : "") + "0".repeat(missing) + text.substring(sign ? 1 : 0)
                : " ".repeat(missing) + text;
    }

    private static String cut(String text, int precision) {
        return precision < 0 || precision >= text.codePointCount(0, text.length()) ? text
                : text.substring(0, text.offsetByCodePoints(0, precision));
    }

    private static Object whole(Object value) {
        if (value instanceof Double number && !number.isInfinite() && !number.isNaN()) {
            return Numbers.integer(new BigDecimal(number).toBigInteger());
        }
        return integer(value);
    }

    private static Object integer(Object value) {
        if (!Numbers.isInteger(value)) {
            throw EvaluationError.refused("%d format: a real number is required, not " + Types.name(value));
        }
        return value;
    }

    /// A double with this many digits behind the point, rounded half to even on its exact value.
    static String fixed(double value, int digits) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Numbers.text(value);
        }
        String text = new BigDecimal(Math.abs(value)).setScale(digits, RoundingMode.HALF_EVEN).toPlainString();
        return value < 0 || 1 / value < 0 ? "-" + text : text;
    }
}
