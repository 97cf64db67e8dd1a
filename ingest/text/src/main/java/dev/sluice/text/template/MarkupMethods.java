package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;

/// Methods of [Markup]: those of text, with arguments escaped where they enter the result and results marked too.
final class MarkupMethods {

    private static final Set<String> ESCAPES_ARGUMENTS = Set.of("replace", "join", "format");
    private static final Set<String> LEFT_OUT = Set.of("unescape", "striptags", "escape");

    private MarkupMethods() {}

    static Callable find(Markup markup, String name, Meter meter) {
        if (LEFT_OUT.contains(name)) {
            throw EvaluationError.unsupported("Markup." + name);
        }
        Callable method = StringMethods.find(markup.text(), name, meter);
        return method == null ? null : arguments -> marked(method.call(ESCAPES_ARGUMENTS.contains(name)
                ? escaped(arguments, meter) : arguments));
    }

    private static CallArguments escaped(CallArguments arguments, Meter meter) {
        var named = new LinkedHashMap<String, Object>();
        arguments.named().forEach((name, value) -> named.put(name, escaped(value, meter)));
        return new CallArguments(arguments.positional().stream().map(value -> escaped(value, meter)).toList(), named);
    }

    private static Object escaped(Object value, Meter meter) {
        if (Values.textOf(value) != null) {
            return Markup.escape(value, meter).text();
        }
        List<Object> items = Values.sequence(value);
        return items == null ? value : items.stream().map(item -> escaped(item, meter)).toList();
    }

    private static Object marked(Object result) {
        return switch (result) {
            case String text -> new Markup(text);
            case List<?> items -> new ArrayList<Object>(items.stream().map(MarkupMethods::marked).toList());
            case Tuple tuple -> new Tuple(tuple.items().stream().map(MarkupMethods::marked).toList());
            default -> result;
        };
    }
}
