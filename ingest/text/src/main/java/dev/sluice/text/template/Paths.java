package dev.sluice.text.template;

/// The `attribute` argument of filters: `"a.b.0"` walks from element to element.
final class Paths {

    private Paths() {}

    static Object get(Object item, Object path, Meter meter) {
        if (Numbers.isInteger(path)) {
            return Attributes.element(item, path, meter);
        }
        Object value = item;
        for (String part : Printer.str(path, meter).split("\\.", -1)) {
            boolean index = !part.isEmpty() && part.length() < 10 && part.chars().allMatch(c -> c >= '0' && c <= '9');
            value = Attributes.element(value, index ? (Object) Long.valueOf(part) : part, meter);
        }
        return value;
    }
}
