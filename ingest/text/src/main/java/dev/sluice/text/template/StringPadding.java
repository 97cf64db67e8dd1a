package dev.sluice.text.template;

/// `center`, `ljust`, `rjust` and `zfill`.
final class StringPadding {

    private StringPadding() {}

    static String pad(String text, String method, CallArguments arguments, Meter meter) {
        boolean zeros = method.equals("zfill");
        CallArguments.Bound bound = zeros ? arguments.bind(method, 1, "width") : arguments.bind(method, 1, "width", "fillchar");
        String fill = zeros ? "0" : bound.has(1) ? bound.text(1) : " ";
        if (fill.codePointCount(0, fill.length()) != 1) {
            throw EvaluationError.refused("The fill character must be exactly one character long");
        }
        int missing = bound.integer(0, 0) - text.codePointCount(0, text.length());
        return missing <= 0 ? text : pad(text, method, fill, missing, meter);
    }

    private static String pad(String text, String method, String fill, int missing, Meter meter) {
        meter.characters((long) missing * fill.length() + text.length());
        return switch (method) {
            case "ljust" -> text + fill.repeat(missing);
            case "rjust" -> fill.repeat(missing) + text;
            case "zfill" -> zeros(text, fill.repeat(missing));
            default -> center(text, fill, missing);
        };
    }

    private static String zeros(String text, String zeros) {
        boolean signed = text.startsWith("-") || text.startsWith("+");
        return signed ? text.charAt(0) + zeros + text.substring(1) : zeros + text;
    }

    /// CPython gives the odd space to the left when the width is odd.
    private static String center(String text, String fill, int missing) {
        int width = missing + text.codePointCount(0, text.length());
        int left = missing / 2 + (missing & width & 1);
        return fill.repeat(left) + text + fill.repeat(missing - left);
    }
}
