package dev.sluice.text.template;

import java.util.Objects;
import java.util.stream.Stream;

/// The variables that an expression reads.
final class ExprNames {

    private ExprNames() {}

    static Stream<String> of(Expr expr) {
        return switch (expr) {
            case Expr.Name name -> Stream.of(name.name());
            case Expr.Literal ignored -> Stream.empty();
            case Expr.ListOf list -> all(list.items().stream());
            case Expr.TupleOf tuple -> all(tuple.items().stream());
            case Expr.DictOf dict -> all(Stream.concat(dict.keys().stream(), dict.values().stream()));
            case Expr.Attribute attribute -> of(attribute.target());
            case Expr.Item item -> all(Stream.of(item.target(), item.key()));
            case Expr.Slice slice -> all(Stream.of(new Expr[] {slice.target(), slice.start(), slice.stop(), slice.step()}));
            case Expr.Call call -> Stream.concat(of(call.callee()), of(call.arguments()));
            case Expr.Filter filter -> Stream.concat(of(filter.input()), of(filter.arguments()));
            case Expr.Test test -> Stream.concat(of(test.input()), of(test.arguments()));
            case Expr.Not not -> of(not.operand());
            case Expr.Sign sign -> of(sign.operand());
            case Expr.And and -> all(Stream.of(and.left(), and.right()));
            case Expr.Or or -> all(Stream.of(or.left(), or.right()));
            case Expr.Arithmetic arithmetic -> all(Stream.of(arithmetic.left(), arithmetic.right()));
            case Expr.Concat concat -> all(concat.parts().stream());
            case Expr.Compare compare -> Stream.concat(of(compare.first()), all(compare.operands().stream()));
            case Expr.Conditional conditional -> all(Stream.of(conditional.condition(), conditional.then(), conditional.otherwise()));
        };
    }

    private static Stream<String> of(Expr.Arguments arguments) {
        return Stream.of(all(arguments.positional().stream()), all(arguments.named().values().stream()),
                all(Stream.of(new Expr[] {arguments.spread(), arguments.namedSpread()}))).flatMap(names -> names);
    }

    private static Stream<String> all(Stream<Expr> expressions) {
        return expressions.filter(Objects::nonNull).flatMap(ExprNames::of);
    }
}
