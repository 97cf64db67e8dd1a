package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/// Python's `[start:stop:step]`.
final class Slices {

    private Slices() {}

    static Object slice(Object value, Object start, Object stop, Object step, Meter meter) {
        return switch (value) {
            case String text -> slice(text, start, stop, step, meter);
            case Markup markup -> new Markup(slice(markup.text(), start, stop, step, meter));
            case List<?> items -> slice(items.size(), start, stop, step, items::get, meter);
            case Tuple tuple -> new Tuple(slice(tuple.items().size(), start, stop, step, tuple.items()::get, meter));
            case Range range -> throw EvaluationError.unsupported("a slice of a range");
            case Undefined undefined -> throw undefined.fail();
            case null, default -> throw EvaluationError.refused("'" + Types.name(value) + "' object is not subscriptable");
        };
    }

    private static String slice(String text, Object start, Object stop, Object step, Meter meter) {
        meter.characters(text.length());
        if (PythonText.isFlat(text) && (step == null || Long.valueOf(1).equals(step))) {
            var bounds = new Bounds(text.length(), start, stop, step);
            return bounds.from < bounds.to ? text.substring((int) bounds.from, (int) bounds.to) : "";
        }
        int[] points = text.codePoints().toArray();
        var picked = new StringBuilder();
        slice(points.length, start, stop, step, i -> picked.appendCodePoint(points[i]), meter);
        return picked.toString();
    }

    private static List<Object> slice(int length, Object start, Object stop, Object step, IntFunction<?> item, Meter meter) {
        var bounds = new Bounds(length, start, stop, step);
        var picked = new ArrayList<Object>();
        for (long i = bounds.from; bounds.by > 0 ? i < bounds.to : i > bounds.to; i += bounds.by) {
            picked.add(item.apply((int) i));
        }
        meter.steps(picked.size() / 8);
        return picked;
    }

    private static final class Bounds {

        final long by;
        final long from;
        final long to;

        Bounds(int length, Object start, Object stop, Object step) {
            by = step == null ? 1 : index(step);
            if (by == 0) {
                throw EvaluationError.refused("slice step cannot be zero");
            }
            from = start == null ? by > 0 ? 0 : length - 1 : clamp(index(start), length);
            to = stop == null ? by > 0 ? length : -1 : clamp(index(stop), length);
        }

        private long clamp(long index, int length) {
            long positive = index < 0 ? index + length : index;
            return by > 0 ? Math.clamp(positive, 0, length) : Math.clamp(positive, -1, length - 1);
        }

        private static long index(Object value) {
            return switch (value) {
                case Long number -> Math.clamp(number, -(1L << 40), 1L << 40);
                case Boolean flag -> flag ? 1 : 0;
                case null, default -> throw EvaluationError.refused(
                        "slice indices must be integers or None or have an __index__ method");
            };
        }
    }
}
