package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Methods of `dict` that change nothing.
final class DictMethods {

    private DictMethods() {}

    static Callable find(Map<?, ?> fields, String name, Meter meter) {
        return switch (name) {
            case "get" -> arguments -> get(fields, arguments.bind("get", 1, "key", "default"));
            case "items" -> arguments -> new View("dict_items", items(fields, meter));
            case "keys" -> arguments -> new View("dict_keys", new ArrayList<>(fields.keySet()));
            case "values" -> arguments -> new View("dict_values", new ArrayList<>(fields.values()));
            case "copy" -> arguments -> new LinkedHashMap<Object, Object>(fields);
            case "fromkeys" -> throw EvaluationError.unsupported("dict.fromkeys");
            default -> null;
        };
    }

    static List<Object> items(Map<?, ?> fields, Meter meter) {
        meter.steps(fields.size() / 8);
        var items = new ArrayList<Object>(fields.size());
        fields.forEach((key, value) -> items.add(Tuple.of(key, value)));
        return items;
    }

    private static Object get(Map<?, ?> fields, CallArguments.Bound arguments) {
        return Dicts.contains(fields, arguments.get(0)) ? Dicts.get(fields, arguments.get(0)) : arguments.get(1, null);
    }
}
