package dev.sluice.text.template;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;

/// Python's numbers: integers without bounds (within the budget), doubles, and booleans that count as 0 and 1.
final class Numbers {

    private static final int MAX_BITS = 65_536;

    private Numbers() {}

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean || value instanceof BigInteger;
    }

    static boolean isInteger(Object value) {
        return isNumber(value) && !(value instanceof Double);
    }

    /// The smallest form of an integer.
    static Object integer(BigInteger value) {
        if (value.bitLength() > MAX_BITS) {
            throw EvaluationError.overBudget("an integer of more than " + MAX_BITS + " bits");
        }
        return value.bitLength() < Long.SIZE ? (Object) value.longValue() : value;
    }

    static double real(Object value) {
        return switch (value) {
            case Boolean flag -> flag ? 1 : 0;
            case Number number -> number.doubleValue();
            default -> throw EvaluationError.refused("must be real number, not " + Types.name(value));
        };
    }

    static BigInteger big(Object value) {
        return switch (value) {
            case Boolean flag -> flag ? BigInteger.ONE : BigInteger.ZERO;
            case BigInteger number -> number;
            case Long number -> BigInteger.valueOf(number);
            default -> throw EvaluationError.refused("must be int, not " + Types.name(value));
        };
    }

    static int compare(Object left, Object right) {
        if (left instanceof Long a && right instanceof Long b) {
            return Long.compare(a, b);
        }
        if (left instanceof Double || right instanceof Double) {
            return compareReals(left, right);
        }
        return big(left).compareTo(big(right));
    }

    private static int compareReals(Object left, Object right) {
        double a = real(left);
        double b = real(right);
        boolean exact = Double.isFinite(a) && Double.isFinite(b) && !(left instanceof Double && right instanceof Double);
        if (exact) {
            return decimal(left).compareTo(decimal(right));
        }
        return a < b ? -1 : a == b ? 0 : 1;
    }

    private static BigDecimal decimal(Object value) {
        return value instanceof Double number ? new BigDecimal(number) : new BigDecimal(big(value));
    }

    /// @param operator one of `+ - * / // % **`
    static Object arithmetic(String operator, Object left, Object right) {
        if (left instanceof Double || right instanceof Double || operator.equals("/")) {
            return onReals(operator, real(left), real(right));
        }
        if (left instanceof Long a && right instanceof Long b && operator.length() == 1 && "+-".contains(operator)) {
            long result = operator.equals("+") ? a + b : a - b;
            boolean overflows = operator.equals("+") ? ((a ^ result) & (b ^ result)) < 0 : ((a ^ b) & (a ^ result)) < 0;
            if (!overflows) {
                return result;
            }
        }
        return onIntegers(operator, big(left), big(right));
    }

    private static Object onIntegers(String operator, BigInteger left, BigInteger right) {
        return switch (operator) {
            case "+" -> integer(left.add(right));
            case "-" -> integer(left.subtract(right));
            case "*" -> integer(left.multiply(right));
            case "//" -> integer(floorDivide(left, right));
            case "%" -> integer(left.subtract(floorDivide(left, right).multiply(right)));
            case "**" -> power(left, right);
            default -> throw new IllegalArgumentException(operator);
        };
    }

    private static BigInteger floorDivide(BigInteger left, BigInteger right) {
        if (right.signum() == 0) {
            throw EvaluationError.refused("integer division or modulo by zero");
        }
        BigInteger[] parts = left.divideAndRemainder(right);
        return parts[1].signum() != 0 && parts[1].signum() != right.signum() ? parts[0].subtract(BigInteger.ONE) : parts[0];
    }

    private static Object power(BigInteger base, BigInteger exponent) {
        if (exponent.signum() < 0) {
            return onReals("**", base.doubleValue(), exponent.doubleValue());
        }
        if (exponent.bitLength() > 31 || (long) base.bitLength() * exponent.intValue() > MAX_BITS) {
            throw EvaluationError.overBudget("an integer of more than " + MAX_BITS + " bits");
        }
        return integer(base.pow(exponent.intValue()));
    }

    private static Object onReals(String operator, double left, double right) {
        if (right == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw EvaluationError.refused("division by zero");
        }
        return switch (operator) {
            case "+" -> left + right;
            case "-" -> left - right;
            case "*" -> left * right;
            case "/" -> left / right;
            case "//" -> Math.floor((left - floorMod(left, right)) / right);
            case "%" -> floorMod(left, right);
            case "**" -> Math.pow(left, right);
            default -> throw new IllegalArgumentException(operator);
        };
    }

    private static double floorMod(double left, double right) {
        double remainder = left % right;
        return remainder != 0 && Math.signum(remainder) != Math.signum(right) ? remainder + right : remainder;
    }

    static Object negate(Object value) {
        return value instanceof Double number ? (Object) (-number) : integer(big(value).negate());
    }

    /// Python's `repr` of a double: the shortest digits that read back equal.
    static String text(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal digits = shortest(Math.abs(value));
        int exponent = digits.precision() - digits.scale() - 1;
        String sign = value < 0 ? "-" : "";
        return sign + (exponent < -4 || exponent >= 16 ? scientific(digits, exponent) : plain(digits));
    }

    /// Java writes at least two digits, even where one is enough.
    private static BigDecimal shortest(double value) {
        BigDecimal digits = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        BigDecimal shorter = digits.round(new MathContext(1));
        return digits.precision() == 2 && shorter.doubleValue() == value ? shorter.stripTrailingZeros() : digits;
    }

    private static String plain(BigDecimal digits) {
        String text = digits.toPlainString();
        return text.indexOf('.') < 0 ? text + ".0" : text;
    }

    private static String scientific(BigDecimal digits, int exponent) {
        String unscaled = digits.unscaledValue().toString();
        String mantissa = unscaled.length() == 1 ? unscaled : unscaled.charAt(0) + "." + unscaled.substring(1);
        return mantissa + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }
}
