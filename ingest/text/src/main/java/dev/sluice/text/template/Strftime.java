package dev.sluice.text.template;

import java.time.Clock;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.Map;

/// Python's `datetime.now().strftime(...)` in the C locale, on a clock from outside.
final class Strftime {

    private static final Map<Character, String> PATTERNS = Map.ofEntries(
            Map.entry('Y', "uuuu"), Map.entry('m', "MM"), Map.entry('d', "dd"), Map.entry('H', "HH"), Map.entry('M', "mm"),
            Map.entry('S', "ss"), Map.entry('B', "MMMM"), Map.entry('b', "MMM"), Map.entry('h', "MMM"), Map.entry('A', "EEEE"),
            Map.entry('a', "EEE"), Map.entry('j', "DDD"), Map.entry('y', "uu"), Map.entry('p', "a"), Map.entry('I', "hh"),
            Map.entry('f', "SSSSSS"), Map.entry('F', "uuuu-MM-dd"), Map.entry('T', "HH:mm:ss"), Map.entry('R', "HH:mm"),
            Map.entry('D', "MM/dd/uu"), Map.entry('x', "MM/dd/uu"), Map.entry('X', "HH:mm:ss"));
    private static final Map<Character, String> UNPADDED = Map.of('m', "M", 'd', "d", 'H', "H", 'M', "m", 'S', "s", 'I', "h", 'j', "D");

    private Strftime() {}

    static String format(Clock clock, String format) {
        ZonedDateTime now = ZonedDateTime.now(clock);
        var out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            boolean unpadded = i + 1 < format.length() && format.charAt(i + 1) == '-';
            i += unpadded ? 2 : 1;
            out.append(field(now, i < format.length() ? format.charAt(i) : '\0', unpadded));
        }
        return out.toString();
    }

    private static String field(ZonedDateTime now, char directive, boolean unpadded) {
        if (directive == '%' && !unpadded) {
            return "%";
        }
        String pattern = (unpadded ? UNPADDED : PATTERNS).get(directive);
        if (pattern == null) {
            return switch (directive) {
                case 'e' -> "%2d".formatted(now.getDayOfMonth());
                case 'Z', 'z' -> "";
                default -> throw EvaluationError.unsupported("the date format %" + (unpadded ? "-" : "") + directive);
            };
        }
        return DateTimeFormatter.ofPattern(pattern, Locale.US).format(now);
    }
}
