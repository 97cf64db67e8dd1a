package dev.sluice.text.template;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A macro, or the body of a `{% call %}`, with the scope it was defined in.
record Macro(Node.Signature signature, List<Node> body, Scope closure, Interpreter interpreter) implements Callable {

    @Override
    public Object call(CallArguments arguments) {
        Scope scope = interpreter.enter(body, closure);
        bind(scope, arguments);
        return interpreter.runMacro(body, scope);
    }

    Object attribute(String name) {
        return switch (name) {
            case "name" -> signature.name();
            case "arguments" -> new Tuple(List.copyOf(signature.parameters()));
            case "catch_kwargs" -> signature.names().contains("kwargs");
            case "catch_varargs" -> signature.names().contains("varargs");
            case "caller" -> signature.names().contains("caller");
            default -> null;
        };
    }

    private void bind(Scope scope, CallArguments arguments) {
        List<String> parameters = signature.parameters();
        var rest = new LinkedHashMap<>(arguments.named());
        int given = Math.min(arguments.positional().size(), parameters.size());
        for (int i = 0; i < given; i++) {
            scope.set(parameters.get(i), arguments.positional().get(i));
        }
        // Defaults are evaluated in order, each seeing the parameters before it.
        for (int i = given; i < parameters.size(); i++) {
            String name = parameters.get(i);
            scope.set(name, rest.containsKey(name) ? rest.remove(name) : orDefault(i, scope));
        }
        bindCaller(scope, rest);
        bindRest(scope, arguments.positional(), rest);
    }

    private Object orDefault(int parameter, Scope scope) {
        int index = parameter - signature.parameters().size() + signature.defaults().size();
        return index >= 0 ? interpreter.evaluate(signature.defaults().get(index), scope)
                : new Undefined("parameter '" + signature.parameters().get(parameter) + "' was not provided");
    }

    private void bindCaller(Scope scope, Map<String, Object> rest) {
        if (signature.names().contains("caller") && !signature.parameters().contains("caller")) {
            scope.set("caller", rest.containsKey("caller") ? rest.remove("caller") : new Undefined("No caller defined"));
        }
    }

    private void bindRest(Scope scope, List<Object> positional, Map<String, Object> rest) {
        int parameters = signature.parameters().size();
        if (signature.names().contains("kwargs")) {
            scope.set("kwargs", rest);
        } else if (!rest.isEmpty()) {
            throw EvaluationError.refused("macro '" + signature.name() + "' takes no keyword argument '"
                    + rest.keySet().iterator().next() + "'");
        }
        if (signature.names().contains("varargs")) {
            scope.set("varargs", new Tuple(positional.subList(Math.min(parameters, positional.size()), positional.size())));
        } else if (positional.size() > parameters) {
            throw EvaluationError.refused("macro '" + signature.name() + "' takes not more than " + parameters + " argument(s)");
        }
    }
}
