package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// Python's view of text: a sequence of code points, with Python's idea of white space.
final class PythonText {

    private PythonText() {}

    /// `str.isspace` of one character: bidirectional type WS, B or S, or category Zs.
    static boolean isSpace(int c) {
        return c <= ' ' ? c >= 0x1c || c >= '\t' && c <= '\r'
                : c > 0x7f && (c == 0x85 || c == 0xa0 || Character.isSpaceChar(c));
    }

    static List<Object> characters(String text, Meter meter) {
        meter.characters(text.length());
        meter.steps(text.length() / 8);
        var characters = new ArrayList<Object>(text.length());
        text.codePoints().forEach(c -> characters.add(Character.toString(c)));
        return characters;
    }

    /// Whether code points and UTF-16 units are the same.
    static boolean isFlat(String text) {
        return text.chars().noneMatch(unit -> Character.isSurrogate((char) unit));
    }

    /// The first occurrence at or after `from` (UTF-16 units), or -1. Never worse than linear.
    static int find(String text, String part, int from, Meter meter) {
        if (part.length() > 32) {
            return linearFind(text, part, from, meter);
        }
        meter.steps((text.length() - Math.min(from, text.length())) / 1024);
        return text.indexOf(part, from);
    }

    /// The last occurrence that ends at or before `to`.
    static int findLast(String text, String part, int to, Meter meter) {
        if (part.length() <= 32) {
            meter.steps(to / 1024);
            return text.lastIndexOf(part, to - part.length());
        }
        int last = -1;
        for (int at = linearFind(text, part, 0, meter); at >= 0 && at + part.length() <= to; at = linearFind(text, part, at + 1, meter)) {
            last = at;
        }
        return last;
    }

    /// Knuth, Morris and Pratt: a hostile part cannot make the search quadratic.
    private static int linearFind(String text, String part, int from, Meter meter) {
        meter.characters(part.length());
        meter.steps((text.length() - Math.min(from, text.length())) / 1024);
        int[] border = new int[part.length()];
        for (int i = 1, k = 0; i < part.length(); i++) {
            while (k > 0 && part.charAt(i) != part.charAt(k)) {
                k = border[k - 1];
            }
            border[i] = part.charAt(i) == part.charAt(k) ? ++k : k;
        }
        for (int i = from, k = 0; i < text.length(); i++) {
            while (k > 0 && text.charAt(i) != part.charAt(k)) {
                k = border[k - 1];
            }
            k += text.charAt(i) == part.charAt(k) ? 1 : 0;
            if (k == part.length()) {
                return i - k + 1;
            }
        }
        return -1;
    }

    static String strip(String text, String characters, boolean left, boolean right) {
        int start = 0;
        int end = text.length();
        while (left && start < end && strips(text.codePointAt(start), characters)) {
            start += Character.charCount(text.codePointAt(start));
        }
        while (right && end > start && strips(text.codePointBefore(end), characters)) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(start, end);
    }

    private static boolean strips(int c, String characters) {
        return characters == null ? isSpace(c) : characters.indexOf(c) >= 0;
    }

    static int compare(String left, String right) {
        int length = Math.min(left.length(), right.length());
        for (int i = 0; i < length; i++) {
            if (left.charAt(i) != right.charAt(i)) {
                boolean surrogates = Character.isSurrogate(left.charAt(i)) || Character.isSurrogate(right.charAt(i));
                return surrogates ? Integer.compare(codePointAt(left, i), codePointAt(right, i))
                        : Character.compare(left.charAt(i), right.charAt(i));
            }
        }
        return Integer.compare(left.length(), right.length());
    }

    private static int codePointAt(String text, int i) {
        boolean second = i > 0 && Character.isLowSurrogate(text.charAt(i)) && Character.isHighSurrogate(text.charAt(i - 1));
        return text.codePointAt(second ? i - 1 : i);
    }

    static String capitalize(String text) {
        return text.isEmpty() ? text : titled(text.codePointAt(0)) + text.substring(Character.charCount(text.codePointAt(0)))
                .toLowerCase(Locale.ROOT);
    }

    static String titled(int c) {
        int title = Character.toTitleCase(c);
        String upper = Character.toString(c).toUpperCase(Locale.ROOT);
        if (title != c || upper.length() == Character.charCount(c)) {
            return Character.toString(title);
        }
        // One character that becomes several: only the first of them is a capital, unless it is no letter with case.
        int first = Character.charCount(upper.codePointAt(0));
        return Character.isUpperCase(upper.codePointAt(0)) ? upper.substring(0, first) + upper.substring(first).toLowerCase(Locale.ROOT)
                : upper;
    }

    /// Lines without their ends, as `str.splitlines`.
    static List<String> lines(String text, boolean keepEnds) {
        var lines = new ArrayList<String>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            if (isLineEnd(text.charAt(i))) {
                int next = text.charAt(i) == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n' ? i + 2 : i + 1;
                lines.add(text.substring(start, keepEnds ? next : i));
                start = next;
                i = next - 1;
            }
        }
        if (start < text.length()) {
            lines.add(text.substring(start));
        }
        return lines;
    }

    private static boolean isLineEnd(char c) {
        return c >= '\n' && c <= '\r' || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029;
    }
}
