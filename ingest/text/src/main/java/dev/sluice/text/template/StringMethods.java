package dev.sluice.text.template;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.function.Supplier;

/// Methods of `str`.
final class StringMethods {

    private static final Set<String> LEFT_OUT = Set.of("casefold", "encode", "expandtabs", "format_map", "isidentifier",
            "isprintable", "maketrans", "translate");

    private StringMethods() {}

    /// The method bound to the text, or null when Python's `str` has none of that name.
    static Callable find(String text, String name, Meter meter) {
        return switch (name) {
            case "strip" -> arguments -> strip(text, arguments.bind("strip", 0, "chars"), true, true);
            case "lstrip" -> arguments -> strip(text, arguments.bind("lstrip", 0, "chars"), true, false);
            case "rstrip" -> arguments -> strip(text, arguments.bind("rstrip", 0, "chars"), false, true);
            case "startswith" -> arguments -> StringSearch.affix(text, arguments.bind("startswith", 1, "prefix", "start", "end"), true);
            case "endswith" -> arguments -> StringSearch.affix(text, arguments.bind("endswith", 1, "suffix", "start", "end"), false);
            case "find" -> arguments -> StringSearch.find(text, arguments.bind("find", 1, "sub", "start", "end"), meter);
            case "rfind" -> arguments -> StringSearch.findLast(text, arguments.bind("rfind", 1, "sub", "start", "end"), meter);
            case "index" -> arguments -> found(StringSearch.find(text, arguments.bind("index", 1, "sub", "start", "end"), meter));
            case "rindex" -> arguments -> found(StringSearch.findLast(text, arguments.bind("rindex", 1, "sub", "start", "end"), meter));
            case "count" -> arguments -> StringSearch.count(text, arguments.bind("count", 1, "sub", "start", "end"), meter);
            case "split" -> arguments -> StringSplit.split(text, arguments.bind("split", 0, "sep", "maxsplit"), meter);
            case "rsplit" -> arguments -> StringSplit.splitFromEnd(text, arguments.bind("rsplit", 0, "sep", "maxsplit"), meter);
            case "splitlines" -> arguments -> StringSplit.lines(text, arguments.bind("splitlines", 0, "keepends"), meter);
            case "partition" -> arguments -> StringSplit.partition(text, arguments.bind("partition", 1, "sep"), meter);
            case "rpartition" -> arguments -> StringSplit.partitionFromEnd(text, arguments.bind("rpartition", 1, "sep"), meter);
            case "replace" -> arguments -> replace(text, arguments.bind("replace", 2, "old", "new", "count"), meter);
            case "join" -> arguments -> join(text, arguments.bind("join", 1, "iterable").get(0), meter);
            case "removeprefix" -> arguments -> removePrefix(text, arguments.bind("removeprefix", 1, "prefix").text(0));
            case "removesuffix" -> arguments -> removeSuffix(text, arguments.bind("removesuffix", 1, "suffix").text(0));
            case "format" -> arguments -> BraceFormat.format(text, arguments, meter);
            case "center", "ljust", "rjust", "zfill" -> arguments -> StringPadding.pad(text, name, arguments, meter);
            default -> findWithoutArguments(text, name, meter);
        };
    }

    private static Callable findWithoutArguments(String text, String name, Meter meter) {
        return switch (name) {
            case "lower" -> changed(text, text.length(), meter, () -> text.toLowerCase(Locale.ROOT));
            case "upper" -> changed(text, text.length(), meter, () -> text.toUpperCase(Locale.ROOT));
            case "capitalize" -> changed(text, text.length(), meter, () -> PythonText.capitalize(text));
            case "title" -> changed(text, text.length(), meter, () -> title(text));
            case "swapcase" -> changed(text, text.length(), meter, () -> swapCase(text));
            case "isdigit", "isdecimal", "isnumeric" -> arguments -> all(text, Character::isDigit, name);
            case "isalpha" -> arguments -> all(text, Character::isLetter, name);
            case "isalnum" -> arguments -> all(text, Character::isLetterOrDigit, name);
            case "isspace" -> arguments -> all(text, PythonText::isSpace, name);
            case "isascii" -> arguments -> text.chars().allMatch(c -> c < 128);
            case "islower" -> arguments -> isCased(text) && text.equals(text.toLowerCase(Locale.ROOT));
            case "isupper" -> arguments -> isCased(text) && text.equals(text.toUpperCase(Locale.ROOT));
            case "istitle" -> arguments -> isCased(text) && text.equals(title(text));
            case String other when LEFT_OUT.contains(other) -> throw EvaluationError.unsupported("str." + other);
            default -> null;
        };
    }

    private static Callable changed(String text, int length, Meter meter, Supplier<String> change) {
        return arguments -> {
            arguments.bind("str method", 0);
            meter.characters(length);
            return change.get();
        };
    }

    private static Object strip(String text, CallArguments.Bound arguments, boolean left, boolean right) {
        return PythonText.strip(text, arguments.isSet(0) ? arguments.text(0) : null, left, right);
    }

    private static long found(long index) {
        if (index < 0) {
            throw EvaluationError.refused("substring not found");
        }
        return index;
    }

    private static Object replace(String text, CallArguments.Bound arguments, Meter meter) {
        return replace(text, arguments.text(0), arguments.text(1), arguments.integer(2, -1), meter);
    }

    /// @param count how many to replace at most, negative for all
    static String replace(String text, String old, String replacement, int count, Meter meter) {
        var out = new StringBuilder();
        int at = 0;
        int left = count < 0 ? Integer.MAX_VALUE : count;
        for (int found = 0; left > 0; left--) {
            found = old.isEmpty() ? at : PythonText.find(text, old, at, meter);
            if (found < 0) {
                break;
            }
            meter.characters((long) found - at + replacement.length());
            out.append(text, at, found).append(replacement);
            at = found + old.length();
            if (old.isEmpty()) {
                if (at == text.length()) {
                    break;
                }
                int next = text.offsetByCodePoints(at, 1);
                out.append(text, at, next);
                at = next;
            }
        }
        meter.characters(text.length() - at);
        return out.append(text, at, text.length()).toString();
    }

    private static String join(String separator, Object items, Meter meter) {
        var out = new StringBuilder();
        List<Object> elements = Values.elements(items, meter);
        for (int i = 0; i < elements.size(); i++) {
            String part = Values.textOf(elements.get(i));
            if (part == null) {
                throw EvaluationError.refused("sequence item " + i + ": expected str instance, "
                        + Types.name(elements.get(i)) + " found");
            }
            meter.characters((long) separator.length() + part.length());
            out.append(i == 0 ? "" : separator).append(part);
        }
        return out.toString();
    }

    private static String removePrefix(String text, String prefix) {
        return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
    }

    private static String removeSuffix(String text, String suffix) {
        return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
    }

    static String title(String text) {
        var out = new StringBuilder(text.length());
        boolean inWord = false;
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            int c = text.codePointAt(i);
            out.append(inWord ? Character.toString(c).toLowerCase(Locale.ROOT) : PythonText.titled(c));
            inWord = isCased(c);
        }
        return out.toString();
    }

    private static String swapCase(String text) {
        var out = new StringBuilder(text.length());
        text.codePoints().forEach(c -> out.append(Character.isUpperCase(c) ? Character.toString(c).toLowerCase(Locale.ROOT)
                : Character.toString(c).toUpperCase(Locale.ROOT)));
        return out.toString();
    }

    private static boolean isCased(String text) {
        return text.codePoints().anyMatch(StringMethods::isCased);
    }

    private static boolean isCased(int c) {
        return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
    }

    private static boolean all(String text, IntPredicate test, String name) {
        if (name.startsWith("isd") || name.equals("isnumeric") || name.equals("isalnum")) {
            refuseOddDigits(text, name);
        }
        return !text.isEmpty() && text.codePoints().allMatch(test);
    }

    /// Superscripts, fractions and such count as digits or numbers in Python by tables that Java does not have.
    private static void refuseOddDigits(String text, String name) {
        if (text.codePoints().anyMatch(c -> Character.getType(c) == Character.OTHER_NUMBER || Character.getType(c) == Character.LETTER_NUMBER)) {
            throw EvaluationError.unsupported("str." + name + " of numbers that are no decimal digits");
        }
    }
}
