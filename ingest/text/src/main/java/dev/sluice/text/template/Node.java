package dev.sluice.text.template;

import java.util.List;
import java.util.Set;

/// Statements of a template.
sealed interface Node {

    record Text(String text) implements Node {}

    record Print(Expr value) implements Node {}

    record If(List<Branch> branches, List<Node> otherwise) implements Node {}

    record Branch(Expr condition, List<Node> body) {}

    /// @param filter `for ... if filter`, or null
    record For(Position at, Target target, Expr items, Expr filter, boolean recursive, List<Node> body, List<Node> otherwise)
            implements Node {}

    record Break() implements Node {}

    record Continue() implements Node {}

    record Assign(Position at, Target target, Expr value) implements Node {}

    /// `{% set target | filter %}body{% endset %}`; the filtered value is `value`, in which [#BODY] stands for the body.
    record Capture(Position at, Target target, Expr value, List<Node> body) implements Node {}

    record FilterBlock(Position at, Expr value, List<Node> body) implements Node {}

    record With(List<Assign> assignments, List<Node> body) implements Node {}

    record MacroDefinition(Position at, Signature signature, List<Node> body) implements Node {}

    record CallBlock(Position at, Expr.Call call, Signature signature, List<Node> body) implements Node {}

    record Generation(Position at, List<Node> body) implements Node {}

    /// The variable, which no template can name, that holds a captured body.
    String BODY = "{body}";

    /// @param defaults values of the last parameters
    /// @param names    names that the body reads: whether it asks for `caller`, `varargs` or `kwargs`
    record Signature(String name, List<String> parameters, List<Expr> defaults, Set<String> names) {}

    /// What an assignment assigns to.
    sealed interface Target {

        record Variable(String name) implements Target {}

        /// `namespace.attribute`.
        record Member(String namespace, String attribute) implements Target {}

        record Several(List<Target> targets) implements Target {}
    }
}
