package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// Python's binary operators on the values of a template.
final class Operators {

    private Operators() {}

    static Object apply(String operator, Object left, Object right, Meter meter) {
        refuseUndefined(left);
        if (operator.equals("%") && left instanceof String format) {
            return PercentFormat.format(format, right, meter);
        }
        refuseUndefined(right);
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.arithmetic(operator, left, right);
        }
        return switch (operator) {
            case "+" -> add(left, right, meter);
            case "*" -> Numbers.isInteger(left) ? repeat(right, left, left, meter) : repeat(left, right, left, meter);
            default -> throw unsupportedOperands(operator, left, right);
        };
    }

    private static Object add(Object left, Object right, Meter meter) {
        if (left instanceof Markup || right instanceof Markup) {
            if (Values.textOf(left) == null || Values.textOf(right) == null) {
                throw unsupportedOperands("+", left, right);
            }
            return new Markup(concat(Markup.escape(left, meter).text(), Markup.escape(right, meter).text(), meter));
        }
        if (left instanceof String a) {
            return concat(a, right instanceof String b ? b : refuseConcatenation("str", right), meter);
        }
        if (left instanceof List<?> a) {
            return joined(a, right instanceof List<?> b ? b : refuseConcatenation("list", right), meter);
        }
        if (left instanceof Tuple(var a, var ignored)) {
            return new Tuple(joined(a, right instanceof Tuple(var b, var names) ? b : refuseConcatenation("tuple", right), meter));
        }
        throw unsupportedOperands("+", left, right);
    }

    private static String concat(String left, String right, Meter meter) {
        meter.characters((long) left.length() + right.length());
        return left.concat(right);
    }

    private static List<Object> joined(List<?> left, List<?> right, Meter meter) {
        meter.steps((left.size() + right.size()) / 4);
        var joined = new ArrayList<Object>(left.size() + right.size());
        joined.addAll(left);
        joined.addAll(right);
        return joined;
    }

    private static Object repeat(Object value, Object count, Object left, Meter meter) {
        if (!Numbers.isInteger(count)) {
            throw Values.sequence(value) != null || Values.textOf(value) != null
                    ? EvaluationError.refused("can't multiply sequence by non-int of type '" + Types.name(count) + "'")
                    : unsupportedOperands("*", value, count);
        }
        long times = Math.max(0, Numbers.big(count).min(BigInteger.valueOf(Integer.MAX_VALUE)).longValue());
        if (Values.textOf(value) instanceof String text) {
            meter.characters(text.length() * times);
            String repeated = text.repeat((int) times);
            return value instanceof Markup ? new Markup(repeated) : repeated;
        }
        List<Object> items = Values.sequence(value);
        if (items == null) {
            throw left == value ? unsupportedOperands("*", value, count) : unsupportedOperands("*", count, value);
        }
        meter.steps(items.size() * times);
        var repeated = Collections.nCopies((int) times, items).stream().flatMap(List::stream).toList();
        return value instanceof Tuple ? new Tuple(repeated) : repeated;
    }

    /// @param operator one of `== != < <= > >= in` and `not in`
    static boolean compare(String operator, Object left, Object right, Meter meter) {
        return switch (operator) {
            case "==" -> Values.equal(left, right, meter);
            case "!=" -> !Values.equal(left, right, meter);
            case "in" -> Values.contains(right, left, meter);
            case "not in" -> !Values.contains(right, left, meter);
            case "<" -> isOrdered(left, right) && order(operator, left, right, meter) < 0;
            case "<=" -> isOrdered(left, right) && order(operator, left, right, meter) <= 0;
            case ">" -> isOrdered(left, right) && order(operator, left, right, meter) > 0;
            case ">=" -> isOrdered(left, right) && order(operator, left, right, meter) >= 0;
            default -> throw new IllegalArgumentException(operator);
        };
    }

    private static boolean isOrdered(Object left, Object right) {
        return !(isNan(left) && Numbers.isNumber(right) || isNan(right) && Numbers.isNumber(left));
    }

    private static boolean isNan(Object value) {
        return value instanceof Double number && number.isNaN();
    }

    /// Order of two values for `sort`, `min` and `max`.
    static int order(Object left, Object right, Meter meter) {
        return order("<", left, right, meter);
    }

    private static int order(String operator, Object left, Object right, Meter meter) {
        meter.step();
        refuseUndefined(left);
        refuseUndefined(right);
        if (Numbers.isNumber(left) && Numbers.isNumber(right)) {
            return Numbers.compare(left, right);
        }
        if (Values.textOf(left) instanceof String a && Values.textOf(right) instanceof String b) {
            return PythonText.compare(a, b);
        }
        boolean sameKind = left instanceof List<?> && right instanceof List<?> || left instanceof Tuple && right instanceof Tuple;
        if (!sameKind) {
            throw EvaluationError.refused("'" + operator + "' not supported between instances of '" + Types.name(left)
                    + "' and '" + Types.name(right) + "'");
        }
        return orderItems(operator, Values.sequence(left), Values.sequence(right), meter);
    }

    private static int orderItems(String operator, List<Object> left, List<Object> right, Meter meter) {
        for (int i = 0; i < Math.min(left.size(), right.size()); i++) {
            if (!Values.equal(left.get(i), right.get(i), meter)) {
                return order(operator, left.get(i), right.get(i), meter);
            }
        }
        return Integer.compare(left.size(), right.size());
    }

    static Object sign(boolean negative, Object value) {
        refuseUndefined(value);
        if (!Numbers.isNumber(value)) {
            throw EvaluationError.refused("bad operand type for unary " + (negative ? "-" : "+") + ": '" + Types.name(value) + "'");
        }
        return negative ? Numbers.negate(value) : value instanceof Double ? value : Numbers.integer(Numbers.big(value));
    }

    private static void refuseUndefined(Object value) {
        if (value instanceof Undefined undefined) {
            throw undefined.fail();
        }
    }

    private static <T> T refuseConcatenation(String type, Object right) {
        throw EvaluationError.refused("can only concatenate " + type + " (not \"" + Types.name(right) + "\") to " + type);
    }

    private static EvaluationError unsupportedOperands(String operator, Object left, Object right) {
        return EvaluationError.refused("unsupported operand type(s) for " + (operator.equals("**") ? "** or pow()" : operator)
                + ": '" + Types.name(left) + "' and '" + Types.name(right) + "'");
    }
}
