package dev.sluice.text.template;

import java.util.HashMap;
import java.util.Map;

/// The one thing a template can change: what `namespace()` gives.
final class Namespace {

    private final Map<String, Object> values = new HashMap<>();

    void set(String name, Object value) {
        values.put(name, value);
    }

    Object get(String name) {
        return values.containsKey(name) ? values.get(name) : Undefined.attribute(this, name);
    }
}
