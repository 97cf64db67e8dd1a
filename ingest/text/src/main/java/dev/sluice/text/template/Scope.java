package dev.sluice.text.template;

import java.util.HashMap;
import java.util.Map;

/// Variables of a block, in front of those of the block around it. Inner blocks see outer variables as they are when they
/// are read, and assign only their own.
final class Scope {

    static final Object MISSING = new Object();

    private final Scope outer;
    private final Map<String, Object> variables;

    Scope(Scope outer, Map<String, Object> variables) {
        this.outer = outer;
        this.variables = variables;
    }

    Scope inner() {
        return new Scope(this, new HashMap<>());
    }

    /// The variable's value, or [#MISSING].
    Object find(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.getOrDefault(name, MISSING);
            if (value != MISSING) {
                return value;
            }
        }
        return MISSING;
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }
}
