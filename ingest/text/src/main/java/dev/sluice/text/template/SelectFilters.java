package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Filters that apply a test or a filter to every element.
final class SelectFilters {

    static final Map<String, FilterFunction> BY_NAME = Map.of(
            "map", SelectFilters::map,
            "select", (input, arguments, meter) -> select(input, arguments, meter, item -> item, true),
            "reject", (input, arguments, meter) -> select(input, arguments, meter, item -> item, false),
            "selectattr", (input, arguments, meter) -> selectBy(input, arguments, meter, true),
            "rejectattr", (input, arguments, meter) -> selectBy(input, arguments, meter, false));

    private SelectFilters() {}

    private static Object map(Object input, CallArguments arguments, Meter meter) {
        var mapped = new ArrayList<Object>();
        if (arguments.positional().isEmpty()) {
            var bound = new CallArguments(arguments.positional(), arguments.named()).bind("map", 0, "attribute", "default");
            if (!bound.has(0)) {
                throw EvaluationError.refused("map requires a filter argument");
            }
            for (Object item : elements(input, meter)) {
                Object value = Paths.get(item, bound.get(0), meter);
                mapped.add(value instanceof Undefined && bound.has(1) ? bound.get(1) : value);
            }
        } else {
            String filter = Printer.str(arguments.positional().getFirst(), meter);
            for (Object item : elements(input, meter)) {
                meter.step();
                mapped.add(Filters.apply(filter, item, arguments.withoutFirst(), meter));
            }
        }
        return new Lazy(mapped);
    }

    private static Object selectBy(Object input, CallArguments arguments, Meter meter, boolean wanted) {
        if (arguments.positional().isEmpty()) {
            throw EvaluationError.refused("Missing parameter for attribute name");
        }
        Object path = arguments.positional().getFirst();
        return select(input, arguments.withoutFirst(), meter, item -> Paths.get(item, path, meter), wanted);
    }

    private static Object select(Object input, CallArguments arguments, Meter meter, UnaryOperator<Object> key, boolean wanted) {
        var selected = new ArrayList<Object>();
        for (Object item : elements(input, meter)) {
            meter.step();
            if (passes(key.apply(item), arguments, meter) == wanted) {
                selected.add(item);
            }
        }
        return new Lazy(selected);
    }

    /// Anything false, even a number or None, has no elements here.
    private static List<Object> elements(Object input, Meter meter) {
        return Values.truth(input) ? Values.elements(input, meter) : List.of();
    }

    private static boolean passes(Object value, CallArguments arguments, Meter meter) {
        return arguments.positional().isEmpty() ? Values.truth(value)
                : Tests.apply(Printer.str(arguments.positional().getFirst(), meter), value, arguments.withoutFirst(), meter);
    }
}
