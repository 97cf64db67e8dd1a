package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.List;

/// Methods of `list` and `tuple` that change nothing.
final class ListMethods {

    private ListMethods() {}

    static Callable find(List<?> items, String name, Meter meter) {
        return switch (name) {
            case "count" -> arguments -> count(items, arguments.bind("count", 1, "value").get(0), meter);
            case "index" -> arguments -> index(items, arguments.bind("index", 1, "value").get(0), meter);
            case "copy" -> arguments -> new ArrayList<Object>(items);
            default -> null;
        };
    }

    private static long count(List<?> items, Object wanted, Meter meter) {
        return items.stream().filter(item -> Values.equal(item, wanted, meter)).count();
    }

    private static long index(List<?> items, Object wanted, Meter meter) {
        for (int i = 0; i < items.size(); i++) {
            if (Values.equal(items.get(i), wanted, meter)) {
                return i;
            }
        }
        throw EvaluationError.refused(Printer.repr(wanted, meter) + " is not in list");
    }
}
