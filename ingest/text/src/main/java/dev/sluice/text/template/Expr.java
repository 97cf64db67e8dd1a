package dev.sluice.text.template;

import java.util.List;
import java.util.Map;

/// Expressions of a template.
sealed interface Expr {

    Position at();

    record Literal(Position at, Object value) implements Expr {}

    record Name(Position at, String name) implements Expr {}

    record ListOf(Position at, List<Expr> items) implements Expr {}

    record TupleOf(Position at, List<Expr> items) implements Expr {}

    record DictOf(Position at, List<Expr> keys, List<Expr> values) implements Expr {}

    record Attribute(Position at, Expr target, String name) implements Expr {}

    record Item(Position at, Expr target, Expr key) implements Expr {}

    /// `target[start:stop:step]`; an absent bound is null.
    record Slice(Position at, Expr target, Expr start, Expr stop, Expr step) implements Expr {}

    record Call(Position at, Expr callee, Arguments arguments) implements Expr {}

    record Filter(Position at, Expr input, String name, Arguments arguments) implements Expr {}

    record Test(Position at, Expr input, String name, Arguments arguments) implements Expr {}

    record Not(Position at, Expr operand) implements Expr {}

    record Sign(Position at, boolean negative, Expr operand) implements Expr {}

    record And(Position at, Expr left, Expr right) implements Expr {}

    record Or(Position at, Expr left, Expr right) implements Expr {}

    record Arithmetic(Position at, String operator, Expr left, Expr right) implements Expr {}

    record Concat(Position at, List<Expr> parts) implements Expr {}

    /// `first op operand op operand ...`, each operand evaluated once.
    record Compare(Position at, Expr first, List<String> operators, List<Expr> operands) implements Expr {}

    /// `then if condition else otherwise`; `otherwise` is null where there is none.
    record Conditional(Position at, Expr condition, Expr then, Expr otherwise) implements Expr {}

    /// @param spread      the list behind `*`, or null
    /// @param namedSpread the mapping behind `**`, or null
    record Arguments(List<Expr> positional, Map<String, Expr> named, Expr spread, Expr namedSpread) {

        static final Arguments NONE = new Arguments(List.of(), Map.of(), null, null);
    }
}
