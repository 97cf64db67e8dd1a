package dev.sluice.text.template;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Evaluated arguments of a call.
record CallArguments(List<Object> positional, Map<String, Object> named) {

    private static final Object ABSENT = new Object();

    /// Puts the arguments in the order of the parameters.
    ///
    /// @param required how many of the first parameters must be given
    Bound bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw EvaluationError.refused(function + "() takes at most " + parameters.length + " arguments ("
                    + positional.size() + " given)");
        }
        var rest = new HashMap<>(named);
        var values = new Object[parameters.length];
        for (int i = 0; i < parameters.length; i++) {
            values[i] = i < positional.size() ? positional.get(i)
                    : rest.containsKey(parameters[i]) ? rest.remove(parameters[i]) : ABSENT;
            if (i < required && values[i] == ABSENT) {
                throw EvaluationError.refused(function + "() missing required argument: '" + parameters[i] + "'");
            }
        }
        for (String name : rest.keySet()) {
            throw EvaluationError.refused(function + "() got an unexpected keyword argument '" + name + "'");
        }
        return new Bound(function, parameters, values);
    }

    /// For functions of any number of positional arguments.
    void refuseNamed(String function) {
        for (String name : named.keySet()) {
            throw EvaluationError.refused(function + "() takes no keyword arguments, but got '" + name + "'");
        }
    }

    CallArguments withoutFirst() {
        return new CallArguments(positional.subList(1, positional.size()), named);
    }

    static CallArguments of(Object... values) {
        return new CallArguments(Arrays.asList(values), Collections.emptyMap());
    }

    /// Arguments by parameter.
    record Bound(String function, String[] parameters, Object[] values) {

        boolean has(int index) {
            return values[index] != ABSENT;
        }

        /// Given, and not None.
        boolean isSet(int index) {
            return has(index) && values[index] != null;
        }

        Object get(int index) {
            return values[index];
        }

        Object get(int index, Object otherwise) {
            return has(index) ? values[index] : otherwise;
        }

        boolean flag(int index) {
            return has(index) && Values.truth(values[index]);
        }

        String text(int index) {
            return switch (values[index]) {
                case String text -> text;
                case Markup markup -> markup.text();
                case Undefined undefined -> throw undefined.fail();
                case null, default -> throw EvaluationError.refused(function + "() argument '" + parameters[index]
                        + "' must be str, not " + Types.name(values[index]));
            };
        }

        int integer(int index, int otherwise) {
            if (!has(index)) {
                return otherwise;
            }
            return switch (values[index]) {
                case Long number -> (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, number));
                case Boolean flag -> flag ? 1 : 0;
                case Undefined undefined -> throw undefined.fail();
                case null, default -> throw EvaluationError.refused(function + "() argument '" + parameters[index]
                        + "' must be int, not " + Types.name(values[index]));
            };
        }
    }
}
