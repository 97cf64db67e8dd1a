package dev.sluice.text.template;

import java.util.HashMap;
import java.util.Map;

/// Jinja's filters by name. Those without meaning in a chat template are left out, and using one is an error:
/// `filesizeformat`, `pprint`, `random`, `striptags`, `urlize`, `wordwrap`, `xmlattr`.
final class Filters {

    private static final Map<String, FilterFunction> BY_NAME = new HashMap<>();

    static {
        BY_NAME.putAll(TextFilters.BY_NAME);
        BY_NAME.putAll(NumberFilters.BY_NAME);
        BY_NAME.putAll(SequenceFilters.BY_NAME);
        BY_NAME.putAll(OrderFilters.BY_NAME);
        BY_NAME.putAll(SelectFilters.BY_NAME);
    }

    private Filters() {}

    static boolean isKnown(String name) {
        return BY_NAME.containsKey(name);
    }

    static Object apply(String name, Object input, CallArguments arguments, Meter meter) {
        FilterFunction filter = BY_NAME.get(name);
        if (filter == null) {
            throw EvaluationError.unsupported("the filter '" + name + "'");
        }
        return filter.apply(input, arguments, meter);
    }
}
