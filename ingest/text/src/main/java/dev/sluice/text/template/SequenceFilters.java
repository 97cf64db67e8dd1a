package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Filters that take sequences and mappings apart or together.
final class SequenceFilters {

    static final Map<String, FilterFunction> BY_NAME = Map.ofEntries(
            Map.entry("first", (input, arguments, meter) -> first(input, meter)),
            Map.entry("last", (input, arguments, meter) -> last(input, meter)),
            Map.entry("list", (input, arguments, meter) -> new ArrayList<>(Values.elements(input, meter))),
            Map.entry("reverse", (input, arguments, meter) -> reverse(input, meter)),
            Map.entry("join", SequenceFilters::join),
            Map.entry("items", (input, arguments, meter) -> items(input, meter)),
            Map.entry("default", SequenceFilters::orDefault),
            Map.entry("d", SequenceFilters::orDefault),
            Map.entry("attr", SequenceFilters::attribute),
            Map.entry("batch", SequenceFilters::batch),
            Map.entry("slice", SequenceFilters::slice));

    private SequenceFilters() {}

    private static Object first(Object input, Meter meter) {
        List<Object> elements = input instanceof Lazy lazy ? lazy.takeOne() : Values.elements(input, meter);
        return elements.isEmpty() ? new Undefined("No first item, sequence was empty.") : elements.getFirst();
    }

    private static Object last(Object input, Meter meter) {
        if (input instanceof Lazy) {
            throw EvaluationError.refused("'generator' object is not reversible");
        }
        List<Object> elements = Values.elements(input, meter);
        return elements.isEmpty() ? new Undefined("No last item, sequence was empty.") : elements.getLast();
    }

    private static Object reverse(Object input, Meter meter) {
        var elements = new ArrayList<>(Values.elements(input, meter));
        Collections.reverse(elements);
        return Values.textOf(input) != null ? elements.stream().map(String.class::cast).collect(Collectors.joining())
                : new Lazy(elements);
    }

    private static Object join(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("join", 0, "d", "attribute");
        String separator = Printer.str(bound.get(0, ""), meter);
        var out = new StringBuilder();
        String before = "";
        for (Object item : Values.elements(input, meter)) {
            String text = Printer.str(bound.isSet(1) ? Paths.get(item, bound.get(1), meter) : item, meter);
            meter.characters((long) before.length() + text.length());
            out.append(before).append(text);
            before = separator;
        }
        return out.toString();
    }

    private static Object items(Object input, Meter meter) {
        return switch (input) {
            case Map<?, ?> fields -> new Lazy(DictMethods.items(fields, meter));
            case Undefined ignored -> new Lazy(List.of());
            case null, default -> throw EvaluationError.refused("Can only get item pairs from a mapping.");
        };
    }

    private static Object orDefault(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("default", 0, "default_value", "boolean");
        return input instanceof Undefined || bound.flag(1) && !Values.truth(input) ? bound.get(0, "") : input;
    }

    private static Object attribute(Object input, CallArguments arguments, Meter meter) {
        String name = arguments.bind("attr", 1, "name").text(0);
        return input instanceof Map<?, ?> && !(Attributes.attribute(input, name, meter) instanceof Callable)
                ? Undefined.attribute(input, name) : Attributes.attribute(input, name, meter);
    }

    private static Object batch(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("batch", 1, "linecount", "fill_with");
        int size = Math.max(1, bound.integer(0, 1));
        List<Object> elements = Values.elements(input, meter);
        var batches = new ArrayList<Object>();
        for (int from = 0; from < elements.size(); from += size) {
            var batch = new ArrayList<>(elements.subList(from, Math.min(elements.size(), from + size)));
            if (bound.isSet(1)) {
                meter.steps(size - batch.size());
                batch.addAll(Collections.nCopies(size - batch.size(), bound.get(1)));
            }
            batches.add(batch);
        }
        return new Lazy(batches);
    }

    private static Object slice(Object input, CallArguments arguments, Meter meter) {
        var bound = arguments.bind("slice", 1, "slices", "fill_with");
        int slices = bound.integer(0, 1);
        if (slices < 1) {
            throw EvaluationError.refused("slice: the number of slices must be positive, but is " + slices);
        }
        meter.steps(slices);
        List<Object> elements = Values.elements(input, meter);
        int longer = elements.size() % slices;
        var parts = new ArrayList<Object>();
        int from = 0;
        for (int i = 0; i < slices; i++) {
            int to = from + elements.size() / slices + (i < longer ? 1 : 0);
            var part = new ArrayList<>(elements.subList(from, to));
            if (bound.isSet(1) && i >= longer) {
                part.add(bound.get(1));
            }
            parts.add(part);
            from = to;
        }
        return new Lazy(parts);
    }
}
