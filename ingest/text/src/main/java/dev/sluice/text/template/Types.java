package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/// Python's names of types.
final class Types {

    private Types() {}

    static String name(Object value) {
        return switch (value) {
            case null -> "NoneType";
            case Boolean ignored -> "bool";
            case Long ignored -> "int";
            case BigInteger ignored -> "int";
            case Double ignored -> "float";
            case String ignored -> "str";
            case Markup ignored -> "Markup";
            case List<?> ignored -> "list";
            case Tuple ignored -> "tuple";
            case Map<?, ?> ignored -> "dict";
            case View view -> view.type();
            case Range ignored -> "range";
            case Lazy ignored -> "generator";
            case Undefined ignored -> "Undefined";
            case Namespace ignored -> "Namespace";
            case Macro ignored -> "Macro";
            case Loop ignored -> "LoopContext";
            default -> "builtin_function_or_method";
        };
    }

    /// As Jinja's own messages name a value.
    static String describe(Object value) {
        return switch (value) {
            case null -> "None";
            case Namespace ignored -> "jinja2.utils.Namespace object";
            case Macro ignored -> "jinja2.runtime.Macro object";
            case Loop ignored -> "jinja2.runtime.LoopContext object";
            case Markup ignored -> "markupsafe.Markup object";
            default -> name(value) + " object";
        };
    }
}
