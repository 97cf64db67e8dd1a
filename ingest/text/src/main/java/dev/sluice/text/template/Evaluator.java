package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Computes expressions. A failure is reported at the innermost expression it happened in.
final class Evaluator {

    private final Meter meter;

    Evaluator(Meter meter) {
        this.meter = meter;
    }

    Object evaluate(Expr expr, Scope scope) {
        try {
            meter.step();
            return value(expr, scope);
        } catch (EvaluationError e) {
            throw e.at(expr.at());
        }
    }

    private Object value(Expr expr, Scope scope) {
        return switch (expr) {
            case Expr.Literal literal -> literal.value();
            case Expr.Name name -> variable(name.name(), scope);
            case Expr.Attribute attribute -> Attributes.attribute(evaluate(attribute.target(), scope), attribute.name(), meter);
            case Expr.Item item -> Attributes.element(evaluate(item.target(), scope), evaluate(item.key(), scope), meter);
            case Expr.Slice slice -> slice(slice, scope);
            case Expr.Call call -> call(evaluate(call.callee(), scope), arguments(call.arguments(), scope));
            case Expr.Filter filter -> Filters.apply(filter.name(), evaluate(filter.input(), scope),
                    arguments(filter.arguments(), scope), meter);
            case Expr.Test test -> Tests.apply(test.name(), evaluate(test.input(), scope), arguments(test.arguments(), scope), meter);
            case Expr.Compare compare -> compare(compare, scope);
            case Expr.And and -> and(and, scope);
            case Expr.Or or -> or(or, scope);
            case Expr.Not not -> !Values.truth(evaluate(not.operand(), scope));
            case Expr.Arithmetic arithmetic -> Operators.apply(arithmetic.operator(), evaluate(arithmetic.left(), scope),
                    evaluate(arithmetic.right(), scope), meter);
            case Expr.Concat concat -> concat(concat, scope);
            case Expr.Sign sign -> Operators.sign(sign.negative(), evaluate(sign.operand(), scope));
            case Expr.Conditional conditional -> conditional(conditional, scope);
            case Expr.ListOf list -> all(list.items(), scope);
            case Expr.TupleOf tuple -> new Tuple(all(tuple.items(), scope));
            case Expr.DictOf dict -> dict(dict, scope);
        };
    }

    private static Object variable(String name, Scope scope) {
        Object value = scope.find(name);
        return value == Scope.MISSING ? Undefined.variable(name) : value;
    }

    private Object slice(Expr.Slice slice, Scope scope) {
        return Slices.slice(evaluate(slice.target(), scope), orNone(slice.start(), scope), orNone(slice.stop(), scope),
                orNone(slice.step(), scope), meter);
    }

    private Object orNone(Expr expr, Scope scope) {
        return expr == null ? null : evaluate(expr, scope);
    }

    static Object call(Object callee, CallArguments arguments) {
        return switch (callee) {
            case Callable callable -> callable.call(arguments);
            case Loop loop -> loop.call(arguments);
            case Undefined undefined -> throw undefined.fail();
            case null, default -> throw EvaluationError.refused("'" + Types.name(callee) + "' object is not callable");
        };
    }

    CallArguments arguments(Expr.Arguments arguments, Scope scope) {
        if (arguments == Expr.Arguments.NONE) {
            return new CallArguments(List.of(), Map.of());
        }
        List<Object> positional = all(arguments.positional(), scope);
        if (arguments.spread() != null) {
            positional.addAll(Values.elements(evaluate(arguments.spread(), scope), meter));
        }
        var named = new LinkedHashMap<String, Object>();
        arguments.named().forEach((name, value) -> named.put(name, evaluate(value, scope)));
        if (arguments.namedSpread() != null) {
            spread(evaluate(arguments.namedSpread(), scope), named);
        }
        return new CallArguments(positional, named);
    }

    private static void spread(Object fields, Map<String, Object> named) {
        if (!(fields instanceof Map<?, ?> map)) {
            throw EvaluationError.refused("argument after ** must be a mapping, not " + Types.name(fields));
        }
        map.forEach((name, value) -> {
            if (!(name instanceof String text)) {
                throw EvaluationError.refused("keywords must be strings");
            }
            if (named.put(text, value) != null) {
                throw EvaluationError.refused("got multiple values for keyword argument '" + text + "'");
            }
        });
    }

    private List<Object> all(List<Expr> expressions, Scope scope) {
        var values = new ArrayList<Object>(expressions.size());
        for (Expr expression : expressions) {
            values.add(evaluate(expression, scope));
        }
        return values;
    }

    private Object dict(Expr.DictOf dict, Scope scope) {
        var fields = new LinkedHashMap<Object, Object>();
        for (int i = 0; i < dict.keys().size(); i++) {
            Dicts.put(fields, evaluate(dict.keys().get(i), scope), evaluate(dict.values().get(i), scope));
        }
        return fields;
    }

    private boolean compare(Expr.Compare compare, Scope scope) {
        Object left = evaluate(compare.first(), scope);
        for (int i = 0; i < compare.operands().size(); i++) {
            Object right = evaluate(compare.operands().get(i), scope);
            if (!Operators.compare(compare.operators().get(i), left, right, meter)) {
                return false;
            }
            left = right;
        }
        return true;
    }

    private Object and(Expr.And and, Scope scope) {
        Object left = evaluate(and.left(), scope);
        return Values.truth(left) ? evaluate(and.right(), scope) : left;
    }

    private Object or(Expr.Or or, Scope scope) {
        Object left = evaluate(or.left(), scope);
        return Values.truth(left) ? left : evaluate(or.right(), scope);
    }

    private Object conditional(Expr.Conditional conditional, Scope scope) {
        if (Values.truth(evaluate(conditional.condition(), scope))) {
            return evaluate(conditional.then(), scope);
        }
        return conditional.otherwise() != null ? evaluate(conditional.otherwise(), scope)
                : new Undefined("the inline if-expression on line " + conditional.at().line()
                        + " evaluated to false and no else section was defined.");
    }

    private String concat(Expr.Concat concat, Scope scope) {
        var out = new StringBuilder();
        for (Expr part : concat.parts()) {
            String text = Printer.str(evaluate(part, scope), meter);
            meter.characters(text.length());
            out.append(text);
        }
        return out.toString();
    }
}
