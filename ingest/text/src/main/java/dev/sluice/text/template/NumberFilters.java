package dev.sluice.text.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.RoundingMode;
import java.util.Map;

/// Filters that give numbers.
final class NumberFilters {

    static final Map<String, FilterFunction> BY_NAME = Map.of(
            "int", NumberFilters::toInteger,
            "float", NumberFilters::toReal,
            "abs", (input, arguments, meter) -> absolute(input),
            "round", NumberFilters::round,
            "length", (input, arguments, meter) -> Values.length(input),
            "count", (input, arguments, meter) -> Values.length(input),
            "sum", NumberFilters::sum);

    private NumberFilters() {}

    private static Object toInteger(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("int", 0, "default", "base");
        Object otherwise = bound.get(0, 0L);
        try {
            return Values.textOf(input) instanceof String text ? parse(text, bound.integer(1, 10)) : truncated(input);
        } catch (NumberFormatException e) {
            try {
                return truncated(real(input));
            } catch (NumberFormatException f) {
                return otherwise;
            }
        }
    }

    private static Object parse(String text, int base) {
        String digits = PythonText.strip(text, null, true, true).replaceAll("(?<=[0-9a-zA-Z])_(?=[0-9a-zA-Z])", "");
        if (digits.length() > 4_300) {
            throw new NumberFormatException();
        }
        String prefix = base == 16 ? "^([+-]?)0[xX]" : base == 8 ? "^([+-]?)0[oO]" : base == 2 ? "^([+-]?)0[bB]" : "^([+-]?)";
        return Numbers.integer(new BigInteger(digits.replaceFirst(prefix, "$1"), base));
    }

    private static Object truncated(Object value) {
        return switch (value) {
            case Double number when !number.isNaN() && !number.isInfinite() -> Numbers.integer(new BigDecimal(number).toBigInteger());
            case Object number when Numbers.isInteger(number) -> Numbers.integer(Numbers.big(number));
            case null, default -> throw unreadable(value);
        };
    }

    private static Object toReal(Object input, CallArguments arguments, Meter meter) {
        Object otherwise = arguments.bind("float", 0, "default").get(0, 0.0);
        try {
            return real(input);
        } catch (NumberFormatException e) {
            return otherwise;
        }
    }

    private static double real(Object input) {
        if (Values.textOf(input) instanceof String text) {
            String digits = PythonText.strip(text, null, true, true);
            if (!digits.matches("[+-]?(\\d[\\d_]*\\.?[\\d_]*|\\.\\d[\\d_]*)([eE][+-]?\\d+)?")) {
                throw new NumberFormatException(digits);
            }
            return Double.parseDouble(digits.replace("_", ""));
        }
        if (!Numbers.isNumber(input)) {
            throw unreadable(input);
        }
        return Numbers.real(input);
    }

    /// An undefined value fails; anything else that is no number gives the filter's default.
    private static RuntimeException unreadable(Object value) {
        return value instanceof Undefined undefined ? undefined.fail() : new NumberFormatException();
    }

    private static Object absolute(Object input) {
        if (input instanceof Undefined undefined) {
            throw undefined.fail();
        }
        if (!Numbers.isNumber(input)) {
            throw EvaluationError.refused("bad operand type for abs(): '" + Types.name(input) + "'");
        }
        return input instanceof Double number ? (Object) Math.abs(number) : Numbers.integer(Numbers.big(input).abs());
    }

    private static Object round(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("round", 0, "precision", "method");
        int precision = bound.integer(0, 0);
        String method = bound.has(1) ? bound.text(1) : "common";
        RoundingMode mode = switch (method) {
            case "common" -> RoundingMode.HALF_EVEN;
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default -> throw EvaluationError.refused("method must be common, ceil or floor");
        };
        if (!Numbers.isNumber(input) || Math.abs(precision) > 300) {
            throw EvaluationError.refused("round: cannot round a " + Types.name(input) + " to " + precision + " digits");
        }
        if (Numbers.isInteger(input) && method.equals("common")) {
            return Numbers.integer(new BigDecimal(Numbers.big(input)).setScale(Math.min(precision, 0), mode).toBigInteger());
        }
        double value = Numbers.real(input);
        return Double.isFinite(value) ? new BigDecimal(value).setScale(precision, mode).doubleValue() : value;
    }

    private static Object sum(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("sum", 0, "attribute", "start");
        Object total = bound.get(1, 0L);
        for (Object item : Values.elements(input, meter)) {
            total = Operators.apply("+", total, bound.isSet(0) ? Paths.get(item, bound.get(0), meter) : item, meter);
        }
        return total;
    }
}
