package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/// `split`, `rsplit`, `splitlines` and `partition`. Arguments are (separator, maximum of splits).
final class StringSplit {

    private StringSplit() {}

    static List<Object> split(String text, CallArguments.Bound arguments, Meter meter) {
        meter.characters(text.length());
        int max = max(arguments);
        return arguments.isSet(0) ? bySeparator(text, separator(arguments), max, meter) : byWhitespace(text, max, meter);
    }

    static List<Object> splitFromEnd(String text, CallArguments.Bound arguments, Meter meter) {
        meter.characters(text.length());
        int max = max(arguments);
        List<Object> parts = arguments.isSet(0) ? bySeparatorFromEnd(text, separator(arguments), max, meter)
                : byWhitespaceFromEnd(text, max, meter);
        Collections.reverse(parts);
        return parts;
    }

    static List<Object> lines(String text, CallArguments.Bound arguments, Meter meter) {
        meter.characters(text.length());
        return new ArrayList<>(PythonText.lines(text, arguments.flag(0)));
    }

    static Object partition(String text, CallArguments.Bound arguments, Meter meter) {
        String separator = separator(arguments);
        int at = PythonText.find(text, separator, 0, meter);
        return at < 0 ? new Tuple(List.of(text, "", "")) : parts(text, at, separator);
    }

    static Object partitionFromEnd(String text, CallArguments.Bound arguments, Meter meter) {
        String separator = separator(arguments);
        int at = PythonText.findLast(text, separator, text.length(), meter);
        return at < 0 ? new Tuple(List.of("", "", text)) : parts(text, at, separator);
    }

    private static Tuple parts(String text, int at, String separator) {
        return new Tuple(List.of(text.substring(0, at), separator, text.substring(at + separator.length())));
    }

    private static int max(CallArguments.Bound arguments) {
        int max = arguments.integer(1, -1);
        return max < 0 ? Integer.MAX_VALUE : max;
    }

    private static String separator(CallArguments.Bound arguments) {
        String separator = arguments.text(0);
        if (separator.isEmpty()) {
            throw EvaluationError.refused("empty separator");
        }
        return separator;
    }

    private static List<Object> bySeparator(String text, String separator, int max, Meter meter) {
        var parts = new ArrayList<Object>();
        int from = 0;
        for (int at = 0; parts.size() < max && (at = PythonText.find(text, separator, from, meter)) >= 0; from = at + separator.length()) {
            meter.step();
            parts.add(text.substring(from, at));
        }
        parts.add(text.substring(from));
        return parts;
    }

    private static List<Object> bySeparatorFromEnd(String text, String separator, int max, Meter meter) {
        var parts = new ArrayList<Object>();
        int to = text.length();
        for (int at = 0; parts.size() < max && (at = PythonText.findLast(text, separator, to, meter)) >= 0; to = at) {
            meter.step();
            parts.add(text.substring(at + separator.length(), to));
        }
        parts.add(text.substring(0, to));
        return parts;
    }

    private static List<Object> byWhitespace(String text, int max, Meter meter) {
        var parts = new ArrayList<Object>();
        int at = 0;
        while (true) {
            while (at < text.length() && PythonText.isSpace(text.charAt(at))) {
                at++;
            }
            if (at == text.length()) {
                return parts;
            }
            meter.step();
            if (parts.size() == max) {
                parts.add(text.substring(at));
                return parts;
            }
            int start = at;
            while (at < text.length() && !PythonText.isSpace(text.charAt(at))) {
                at++;
            }
            parts.add(text.substring(start, at));
        }
    }

    private static List<Object> byWhitespaceFromEnd(String text, int max, Meter meter) {
        var parts = new ArrayList<Object>();
        int at = text.length();
        while (true) {
            while (at > 0 && PythonText.isSpace(text.charAt(at - 1))) {
                at--;
            }
            if (at == 0) {
                return parts;
            }
            meter.step();
            if (parts.size() == max) {
                parts.add(text.substring(0, at));
                return parts;
            }
            int end = at;
            while (at > 0 && !PythonText.isSpace(text.charAt(at - 1))) {
                at--;
            }
            parts.add(text.substring(at, end));
        }
    }
}
