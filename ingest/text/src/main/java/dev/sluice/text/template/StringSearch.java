package dev.sluice.text.template;

import java.util.List;

/// `find`, `count`, `startswith` and their like. Indices count code points; arguments are (part, start, end).
final class StringSearch {

    private StringSearch() {}

    /// A part of a text, between indices that Python gives.
    private record Window(String text, int from, int to) {

        static Window of(String text, CallArguments.Bound arguments) {
            if (!arguments.isSet(1) && !arguments.isSet(2)) {
                return new Window(text, 0, text.length());
            }
            int length = text.codePointCount(0, text.length());
            int from = arguments.isSet(1) ? fromFront(arguments.integer(1, 0), length) : 0;
            int to = arguments.isSet(2) ? Math.min(fromFront(arguments.integer(2, 0), length), length) : length;
            return from > to ? new Window(text, 0, -1)
                    : new Window(text, text.offsetByCodePoints(0, from), text.offsetByCodePoints(0, to));
        }

        private static int fromFront(int index, int length) {
            return index < 0 ? Math.max(0, index + length) : index;
        }

        boolean isEmpty() {
            return to < from;
        }

        long codePoints(int index) {
            return text.codePointCount(0, index);
        }
    }

    static long find(String text, CallArguments.Bound arguments, Meter meter) {
        var window = Window.of(text, arguments);
        String part = arguments.text(0);
        int found = window.isEmpty() ? -1 : PythonText.find(text, part, window.from, meter);
        return found < 0 || found + part.length() > window.to ? -1 : window.codePoints(found);
    }

    static long findLast(String text, CallArguments.Bound arguments, Meter meter) {
        var window = Window.of(text, arguments);
        int found = window.isEmpty() ? -1 : PythonText.findLast(text, arguments.text(0), window.to, meter);
        return found < window.from ? -1 : window.codePoints(found);
    }

    static long count(String text, CallArguments.Bound arguments, Meter meter) {
        var window = Window.of(text, arguments);
        String part = arguments.text(0);
        if (window.isEmpty()) {
            return 0;
        }
        if (part.isEmpty()) {
            return text.codePointCount(window.from, window.to) + 1L;
        }
        long count = 0;
        for (int at = PythonText.find(text, part, window.from, meter); at >= 0 && at + part.length() <= window.to;
                at = PythonText.find(text, part, at + part.length(), meter)) {
            count++;
        }
        return count;
    }

    static boolean affix(String text, CallArguments.Bound arguments, boolean atStart) {
        var window = Window.of(text, arguments);
        if (arguments.get(0) instanceof Tuple(List<Object> options, var ignored)) {
            return options.stream().anyMatch(option -> isAffix(window, CallArguments.of(option)
                    .bind(atStart ? "startswith" : "endswith", 1, "prefix").text(0), atStart));
        }
        return isAffix(window, arguments.text(0), atStart);
    }

    private static boolean isAffix(Window window, String part, boolean atStart) {
        if (window.isEmpty() || part.length() > window.to - window.from) {
            return false;
        }
        return window.text.startsWith(part, atStart ? window.from : window.to - part.length());
    }
}
