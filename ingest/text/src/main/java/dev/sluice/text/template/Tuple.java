package dev.sluice.text.template;

import java.util.Arrays;
import java.util.List;

/// Python's tuple.
///
/// @param names attribute names of a named tuple, else empty
record Tuple(List<Object> items, List<String> names) {

    Tuple(List<Object> items) {
        this(items, List.of());
    }

    static Tuple of(Object first, Object second) {
        return new Tuple(Arrays.asList(first, second));
    }
}
