package dev.sluice.text.template;

import java.util.List;

/// Python's generator: can be visited once, has neither length nor elements by index.
final class Lazy {

    private List<Object> rest;

    Lazy(List<Object> items) {
        rest = items;
    }

    List<Object> take() {
        List<Object> taken = rest;
        rest = List.of();
        return taken;
    }

    /// The next item alone, or nothing when there is none.
    List<Object> takeOne() {
        List<Object> first = rest.isEmpty() ? List.of() : rest.subList(0, 1);
        rest = rest.isEmpty() ? rest : rest.subList(1, rest.size());
        return first;
    }
}
