package dev.sluice.text.template;

import java.util.List;

/// The variable `loop`.
final class Loop {

    /// Runs a recursive loop again, one level deeper, over other items.
    interface Recursion {

        String run(Object items, int depth);
    }

    private final List<Object> items;
    private final int depth;
    private final Recursion recursion;
    private final Meter meter;
    private int index;
    private List<Object> lastChecked;

    /// @param recursion null where the loop is not `recursive`
    Loop(List<Object> items, int depth, Recursion recursion, Meter meter) {
        this.items = items;
        this.depth = depth;
        this.recursion = recursion;
        this.meter = meter;
    }

    void moveTo(int index) {
        this.index = index;
    }

    Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) items.size() - index;
            case "revindex0" -> items.size() - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == items.size() - 1;
            case "length" -> (long) items.size();
            case "depth" -> depth + 1L;
            case "depth0" -> (long) depth;
            case "previtem" -> index == 0 ? new Undefined("there is no previous item") : items.get(index - 1);
            case "nextitem" -> index == items.size() - 1 ? new Undefined("there is no next item") : items.get(index + 1);
            case "cycle" -> (Callable) this::cycle;
            case "changed" -> (Callable) this::changed;
            default -> null;
        };
    }

    Object call(CallArguments arguments) {
        if (recursion == null) {
            throw EvaluationError.refused("The loop must have the 'recursive' marker to be called recursively.");
        }
        return recursion.run(arguments.bind("loop", 1, "iterable").get(0), depth + 1);
    }

    private Object cycle(CallArguments arguments) {
        arguments.refuseNamed("cycle");
        if (arguments.positional().isEmpty()) {
            throw EvaluationError.refused("no items for cycling given");
        }
        return arguments.positional().get(index % arguments.positional().size());
    }

    private Object changed(CallArguments arguments) {
        arguments.refuseNamed("changed");
        boolean changed = lastChecked == null || !Values.equal(lastChecked, arguments.positional(), meter);
        lastChecked = arguments.positional();
        return changed;
    }
}
