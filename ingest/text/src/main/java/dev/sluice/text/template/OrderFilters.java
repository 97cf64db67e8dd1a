package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;

/// Filters that compare elements with each other.
final class OrderFilters {

    static final Map<String, FilterFunction> BY_NAME = Map.of(
            "sort", OrderFilters::sort,
            "dictsort", OrderFilters::dictSort,
            "min", (input, arguments, meter) -> extreme(input, arguments.bind("min", 0, "case_sensitive", "attribute"), -1, meter),
            "max", (input, arguments, meter) -> extreme(input, arguments.bind("max", 0, "case_sensitive", "attribute"), 1, meter),
            "unique", OrderFilters::unique,
            "groupby", OrderFilters::groupBy);

    private OrderFilters() {}

    private static Object folded(Object key, boolean caseSensitive) {
        return !caseSensitive && Values.textOf(key) instanceof String text ? text.toLowerCase(Locale.ROOT) : key;
    }

    private static Comparator<Object> byOrder(boolean reverse, Meter meter) {
        return reverse ? (left, right) -> Operators.order(right, left, meter) : (left, right) -> Operators.order(left, right, meter);
    }

    private static List<Object> sorted(List<Object> items, UnaryOperator<Object> key, boolean reverse, Meter meter) {
        record Keyed(Object key, Object item) {}
        var keyed = new ArrayList<Keyed>();
        items.forEach(item -> keyed.add(new Keyed(key.apply(item), item)));
        try {
            keyed.sort(Comparator.comparing(Keyed::key, byOrder(reverse, meter)));
        } catch (IllegalArgumentException e) {
            throw EvaluationError.unsupported("sorting values without an order (NaN)");
        }
        return new ArrayList<>(keyed.stream().map(Keyed::item).toList());
    }

    private static Object sort(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("sort", 0, "reverse", "case_sensitive", "attribute");
        return sorted(Values.elements(input, meter), item -> sortKey(item, bound, meter), bound.flag(0), meter);
    }

    private static Object sortKey(Object item, CallArguments.Bound bound, Meter meter) {
        if (!bound.isSet(2)) {
            return folded(item, bound.flag(1));
        }
        var keys = new ArrayList<Object>();
        for (String path : Printer.str(bound.get(2), meter).split(",", -1)) {
            keys.add(folded(Paths.get(item, path.strip(), meter), bound.flag(1)));
        }
        return keys;
    }

    private static Object dictSort(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        String by = bound.has(1) ? bound.text(1) : "key";
        if (!by.equals("key") && !by.equals("value")) {
            throw EvaluationError.refused("You can only sort by either \"key\" or \"value\"");
        }
        if (!(input instanceof Map<?, ?> fields)) {
            throw input instanceof Undefined undefined ? undefined.fail()
                    : EvaluationError.refused("'" + Types.name(input) + "' object has no attribute 'items'");
        }
        int position = by.equals("key") ? 0 : 1;
        return sorted(DictMethods.items(fields, meter), item -> folded(((Tuple) item).items().get(position), bound.flag(0)),
                bound.flag(2), meter);
    }

    private static Object key(Object item, CallArguments.Bound bound, Meter meter) {
        return folded(bound.isSet(1) ? Paths.get(item, bound.get(1), meter) : item, bound.flag(0));
    }

    /// @param sign 1 for the greatest, -1 for the least; the first of equals
    private static Object extreme(Object input, CallArguments.Bound bound, int sign, Meter meter) {
        List<Object> items = Values.elements(input, meter);
        if (items.isEmpty()) {
            return new Undefined("No aggregated item, sequence was empty.");
        }
        Object best = items.getFirst();
        for (Object item : items.subList(1, items.size())) {
            if (sign * Operators.order(key(item, bound, meter), key(best, bound, meter), meter) > 0) {
                best = item;
            }
        }
        return best;
    }

    private static Object unique(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("unique", 0, "case_sensitive", "attribute");
        var seen = new LinkedHashMap<Object, Object>();
        for (Object item : Values.elements(input, meter)) {
            Object key = key(item, bound, meter);
            if (!Dicts.contains(seen, key)) {
                Dicts.put(seen, key, item);
            }
        }
        return new Lazy(new ArrayList<>(seen.values()));
    }

    private static Object groupBy(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("groupby", 1, "attribute", "default", "case_sensitive");
        var groups = new ArrayList<Object>();
        Object before = null;
        for (Object item : sorted(Values.elements(input, meter), it -> groupKey(it, bound, meter), false, meter)) {
            Object key = groupKey(item, bound, meter);
            if (groups.isEmpty() || !Values.equal(before, key, meter)) {
                groups.add(new Tuple(List.of(rawKey(item, bound, meter), new ArrayList<>()), List.of("grouper", "list")));
                before = key;
            }
            @SuppressWarnings("unchecked")
            var members = (List<Object>) ((Tuple) groups.getLast()).items().get(1);
            members.add(item);
        }
        return groups;
    }

    private static Object rawKey(Object item, CallArguments.Bound bound, Meter meter) {
        Object key = Paths.get(item, bound.get(0), meter);
        return key instanceof Undefined && bound.has(1) ? bound.get(1) : key;
    }

    private static Object groupKey(Object item, CallArguments.Bound bound, Meter meter) {
        return folded(rawKey(item, bound, meter), bound.flag(2));
    }
}
