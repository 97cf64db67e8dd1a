package dev.sluice.text.template;

/// A value that is not there. It prints as nothing, is false, and has no elements; anything else done with it fails.
///
/// @param problem what the failure says
record Undefined(String problem) {

    static Undefined variable(String name) {
        return new Undefined("'" + name + "' is undefined");
    }

    static Undefined attribute(Object owner, String name) {
        return new Undefined("'" + Types.describe(owner) + "' has no attribute '" + name + "'");
    }

    static Undefined element(Object owner, Object key) {
        return new Undefined(Types.describe(owner) + " has no element " + key);
    }

    EvaluationError fail() {
        return EvaluationError.refused(problem);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Undefined;
    }

    @Override
    public int hashCode() {
        return 0;
    }
}
