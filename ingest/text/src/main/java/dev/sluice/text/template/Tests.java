package dev.sluice.text.template;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/// Jinja's tests: `value is name(argument)`.
final class Tests {

    private static final Map<String, String> COMPARISONS = Map.ofEntries(
            Map.entry("eq", "=="), Map.entry("equalto", "=="), Map.entry("==", "=="), Map.entry("ne", "!="), Map.entry("!=", "!="),
            Map.entry("lt", "<"), Map.entry("lessthan", "<"), Map.entry("<", "<"), Map.entry("le", "<="), Map.entry("<=", "<="),
            Map.entry("gt", ">"), Map.entry("greaterthan", ">"), Map.entry(">", ">"), Map.entry("ge", ">="), Map.entry(">=", ">="),
            Map.entry("in", "in"));
    private static final Set<String> OTHERS = Set.of("boolean", "callable", "defined", "divisibleby", "escaped", "even", "false",
            "filter", "float", "integer", "iterable", "lower", "mapping", "none", "number", "odd", "sameas", "sequence", "string",
            "test", "true", "undefined", "upper");

    private Tests() {}

    static boolean isKnown(String name) {
        return COMPARISONS.containsKey(name) || OTHERS.contains(name);
    }

    static boolean apply(String name, Object value, CallArguments arguments, Meter meter) {
        String comparison = COMPARISONS.get(name);
        if (comparison != null) {
            return Operators.compare(comparison, value, arguments.bind(name, 1, "other").get(0), meter);
        }
        return switch (name) {
            case "divisibleby" -> isZero(Operators.apply("%", value, arguments.bind(name, 1, "num").get(0), meter));
            case "sameas" -> isSame(value, arguments.bind(name, 1, "other").get(0));
            case String other -> {
                arguments.bind(other, 0);
                yield applyAlone(other, value, meter);
            }
        };
    }

    private static boolean applyAlone(String name, Object value, Meter meter) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == null;
            case "boolean" -> value instanceof Boolean;
            case "true" -> Boolean.TRUE.equals(value);
            case "false" -> Boolean.FALSE.equals(value);
            case "string" -> Values.textOf(value) != null;
            case "number" -> Numbers.isNumber(value);
            case "integer" -> Numbers.isInteger(value) && !(value instanceof Boolean);
            case "float" -> value instanceof Double;
            case "mapping" -> value instanceof Map<?, ?>;
            case "sequence" -> isSequence(value);
            case "iterable" -> Values.isIterable(value);
            case "callable" -> value instanceof Callable || value instanceof Macro || value instanceof Loop || value instanceof Undefined;
            case "escaped" -> value instanceof Markup;
            case "even" -> isZero(Operators.apply("%", value, 2L, meter));
            case "odd" -> Values.equal(Operators.apply("%", value, 2L, meter), 1L, meter);
            case "lower" -> isCased(Printer.str(value, meter)) && isLower(Printer.str(value, meter));
            case "upper" -> isCased(Printer.str(value, meter)) && isUpper(Printer.str(value, meter));
            case "filter" -> Filters.isKnown(Printer.str(value, meter));
            case "test" -> isKnown(Printer.str(value, meter));
            default -> throw EvaluationError.unsupported("the test '" + name + "'");
        };
    }

    private static boolean isZero(Object number) {
        return Numbers.isNumber(number) && Numbers.compare(number, 0L) == 0;
    }

    private static boolean isSequence(Object value) {
        return Values.textOf(value) != null || value instanceof List<?> || value instanceof Tuple || value instanceof Map<?, ?>
                || value instanceof Range || value instanceof Undefined;
    }

    /// Python's `is`: one object. Small values are one object in practice; whether two equal texts are is chance there.
    private static boolean isSame(Object left, Object right) {
        if (left instanceof Long && right instanceof Long || left instanceof Boolean && right instanceof Boolean) {
            return left.equals(right);
        }
        if (left != right && Values.textOf(left) instanceof String text && text.equals(Values.textOf(right))) {
            throw EvaluationError.unsupported("'is sameas' between equal texts, which Python answers by chance,");
        }
        return left == right;
    }

    private static boolean isCased(String text) {
        return text.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    private static boolean isLower(String text) {
        return text.equals(text.toLowerCase(Locale.ROOT));
    }

    private static boolean isUpper(String text) {
        return text.equals(text.toUpperCase(Locale.ROOT));
    }
}
