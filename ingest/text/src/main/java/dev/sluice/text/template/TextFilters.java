package dev.sluice.text.template;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Filters that give text.
final class TextFilters {

    private static final Pattern WORD_START = Pattern.compile("[-\\s({\\[<]", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);

    static final Map<String, FilterFunction> BY_NAME = Map.ofEntries(
            Map.entry("string", (input, arguments, meter) -> input instanceof Markup ? input : Printer.str(input, meter)),
            Map.entry("safe", (input, arguments, meter) -> new Markup(Printer.str(input, meter))),
            Map.entry("escape", (input, arguments, meter) -> Markup.escape(input, meter)),
            Map.entry("e", (input, arguments, meter) -> Markup.escape(input, meter)),
            Map.entry("forceescape", (input, arguments, meter) -> Markup.escape(Printer.str(input, meter), meter)),
            Map.entry("tojson", TextFilters::toJson),
            Map.entry("lower", (input, arguments, meter) -> mapped(input, meter, text -> text.toLowerCase(Locale.ROOT))),
            Map.entry("upper", (input, arguments, meter) -> mapped(input, meter, text -> text.toUpperCase(Locale.ROOT))),
            Map.entry("capitalize", (input, arguments, meter) -> mapped(input, meter, PythonText::capitalize)),
            Map.entry("title", (input, arguments, meter) -> mapped(input, meter, TextFilters::title)),
            Map.entry("trim", TextFilters::trim),
            Map.entry("replace", TextFilters::replace),
            Map.entry("center", TextFilters::center),
            Map.entry("indent", TextFilters::indent),
            Map.entry("truncate", TextFilters::truncate),
            Map.entry("wordcount", (input, arguments, meter) -> WORD.matcher(Printer.str(input, meter)).results().count()),
            Map.entry("urlencode", TextFilters::urlEncode),
            Map.entry("format", TextFilters::format));

    private TextFilters() {}

    /// Marked text stays marked, everything else becomes text.
    private static Object mapped(Object input, Meter meter, UnaryOperator<String> change) {
        String text = Printer.str(input, meter);
        meter.characters(text.length());
        return input instanceof Markup ? new Markup(change.apply(text)) : change.apply(text);
    }

    private static Object toJson(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        String indent = !bound.isSet(1) ? null : Values.textOf(bound.get(1)) instanceof String text ? text
                : StringPadding.pad("", "ljust", CallArguments.of((long) bound.integer(1, 0)), meter);
        List<Object> separators = bound.isSet(2) ? Values.sequence(bound.get(2)) : List.of(indent == null ? ", " : ",", ": ");
        if (separators == null || separators.size() != 2 || !separators.stream().allMatch(it -> it instanceof String)) {
            throw EvaluationError.refused("tojson: separators must be a pair of strings");
        }
        return Json.dumps(input, new Json.Style(bound.flag(0), indent, (String) separators.get(0), (String) separators.get(1),
                bound.flag(3)), meter);
    }

    private static String title(String text) {
        return WORD_START.splitWithDelimiters(text, 0).length == 0 ? text
                : Arrays.stream(WORD_START.splitWithDelimiters(text, 0)).map(TextFilters::titleWord).collect(Collectors.joining());
    }

    private static String titleWord(String word) {
        if (word.isEmpty()) {
            return word;
        }
        int first = word.offsetByCodePoints(0, 1);
        return word.substring(0, first).toUpperCase(Locale.ROOT) + word.substring(first).toLowerCase(Locale.ROOT);
    }

    private static Object trim(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("trim", 0, "chars");
        return mapped(input, meter, text -> PythonText.strip(text, bound.isSet(0) ? bound.text(0) : null, true, true));
    }

    private static Object replace(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("replace", 2, "old", "new", "count");
        int count = bound.isSet(2) ? bound.integer(2, -1) : -1;
        return StringMethods.replace(Printer.str(input, meter), Printer.str(bound.get(0), meter), Printer.str(bound.get(1), meter),
                count, meter);
    }

    private static Object center(Object input, CallArguments arguments, Meter meter) {
        long width = arguments.bind("center", 0, "width").integer(0, 80);
        return StringPadding.pad(Printer.str(input, meter), "center", CallArguments.of(width), meter);
    }

    private static Object indent(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("indent", 0, "width", "first", "blank");
        String indent = Values.textOf(bound.get(0, 4L)) instanceof String text ? text
                : StringPadding.pad("", "ljust", CallArguments.of((long) bound.integer(0, 4)), meter);
        String source = Values.textOf(input);
        if (source == null) {
            throw input instanceof Undefined undefined ? undefined.fail()
                    : EvaluationError.refused("indent: cannot indent a " + Types.name(input));
        }
        List<String> lines = PythonText.lines(source + "\n", false);
        meter.characters((long) lines.size() * indent.length() + source.length());
        var out = new StringBuilder(bound.flag(1) ? indent : "").append(lines.getFirst());
        for (String line : lines.subList(1, lines.size())) {
            out.append('\n').append(line.isEmpty() && !bound.flag(2) ? "" : indent).append(line);
        }
        return input instanceof Markup ? new Markup(out.toString()) : out.toString();
    }

    private static Object truncate(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("truncate", 0, "length", "killwords", "end", "leeway");
        String text = Printer.str(input, meter);
        String end = bound.has(2) ? bound.text(2) : "...";
        int length = bound.integer(0, 255);
        int leeway = bound.isSet(3) ? bound.integer(3, 5) : 5;
        int keep = length - end.codePointCount(0, end.length());
        if (keep < 0 || leeway < 0) {
            throw EvaluationError.refused("truncate: the length must hold the end, and the leeway not be negative");
        }
        if (text.codePointCount(0, text.length()) <= (long) length + leeway) {
            return input;
        }
        String head = text.substring(0, text.offsetByCodePoints(0, keep));
        int space = head.lastIndexOf(' ');
        return (bound.flag(1) || space < 0 ? head : head.substring(0, space)) + end;
    }

    private static Object urlEncode(Object input, CallArguments arguments, Meter meter) {
        if (Values.textOf(input) == null && !Numbers.isNumber(input)) {
            throw EvaluationError.unsupported("urlencode of a " + Types.name(input));
        }
        String text = Printer.str(input, meter);
        meter.characters(9L * text.length());
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A").replace("%7E", "~")
                .replace("%2F", "/");
    }

    private static Object format(Object input, CallArguments arguments, Meter meter) {
        return PercentFormat.format(Printer.str(input, meter), arguments.named().isEmpty()
                ? new Tuple(arguments.positional()) : arguments.named(), meter);
    }
}
