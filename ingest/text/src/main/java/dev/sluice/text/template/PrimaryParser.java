package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Parses what binds tightest: literals, names, subscripts, calls, filters and tests.
final class PrimaryParser {

    private static final int MAX_CHAIN = 1_000;
    private static final Set<String> ENDS_TEST = Set.of("else", "or", "and");

    private final TokenStream tokens;
    private final ExpressionParser expressions;

    PrimaryParser(TokenStream tokens, ExpressionParser expressions) {
        this.tokens = tokens;
        this.expressions = expressions;
    }

    Expr unary(boolean withFilters) {
        Token token = tokens.current();
        Expr operand;
        if (token.isOperator("-") || token.isOperator("+")) {
            tokens.next();
            tokens.enter();
            operand = new Expr.Sign(token.at(), token.text().equals("-"), unary(false));
            tokens.leave();
        } else {
            operand = primary();
        }
        operand = postfix(operand);
        return withFilters ? filters(operand) : operand;
    }

    private Expr primary() {
        Token token = tokens.current();
        return switch (token.type()) {
            case NAME -> name(tokens.next());
            case TEXT -> text(token.at());
            case NUMBER -> new Expr.Literal(token.at(), tokens.next().value());
            case OPERATOR -> bracket(token);
            case DATA, BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, END -> throw unexpected(token);
        };
    }

    private Expr name(Token token) {
        return switch (token.text()) {
            case "true", "True" -> new Expr.Literal(token.at(), true);
            case "false", "False" -> new Expr.Literal(token.at(), false);
            case "none", "None" -> new Expr.Literal(token.at(), null);
            case String name -> {
                expressions.noteName(name);
                yield new Expr.Name(token.at(), name);
            }
        };
    }

    private Expr text(Position at) {
        var text = new StringBuilder();
        while (tokens.current().type() == Token.Type.TEXT) {
            text.append(tokens.next().value());
        }
        return new Expr.Literal(at, text.toString());
    }

    private Expr bracket(Token token) {
        return switch (token.text()) {
            case "(" -> {
                tokens.next();
                tokens.enter();
                Expr inner = expressions.tuple(true, true);
                tokens.leave();
                tokens.expectOperator(")");
                yield inner;
            }
            case "[" -> list(tokens.next().at());
            case "{" -> dict(tokens.next().at());
            default -> throw unexpected(token);
        };
    }

    private Expr list(Position at) {
        var items = new ArrayList<Expr>();
        while (!tokens.skipOperator("]")) {
            items.add(expressions.expression());
            separator("]");
        }
        return new Expr.ListOf(at, items);
    }

    private Expr dict(Position at) {
        var keys = new ArrayList<Expr>();
        var values = new ArrayList<Expr>();
        while (!tokens.skipOperator("}")) {
            keys.add(expressions.expression());
            tokens.expectOperator(":");
            values.add(expressions.expression());
            separator("}");
        }
        return new Expr.DictOf(at, keys, values);
    }

    /// A comma, unless the closing bracket follows.
    private void separator(String closing) {
        if (!tokens.current().isOperator(closing)) {
            tokens.expectOperator(",");
        }
    }

    private Expr postfix(Expr operand) {
        Expr result = operand;
        for (int count = 0; tokens.current().type() == Token.Type.OPERATOR; count++) {
            guard(count);
            switch (tokens.current().text()) {
                case "." -> result = attribute(result);
                case "[" -> result = subscript(result);
                case "(" -> result = new Expr.Call(tokens.current().at(), result, arguments());
                default -> {
                    return result;
                }
            }
        }
        return result;
    }

    private Expr attribute(Expr target) {
        Position at = tokens.next().at();
        Token name = tokens.next();
        return switch (name.type()) {
            case NAME -> new Expr.Attribute(at, target, name.text());
            case NUMBER -> new Expr.Item(at, target, new Expr.Literal(name.at(), name.value()));
            case DATA, BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, TEXT, OPERATOR, END ->
                throw TemplateException.at(name.at(), TemplateException.Kind.SYNTAX,
                        "expected a name or a number after '.', found " + name.describe());
        };
    }

    private Expr subscript(Expr target) {
        Position at = tokens.next().at();
        Expr start = tokens.current().isOperator(":") ? null : expressions.expression();
        Expr result;
        if (tokens.skipOperator(":")) {
            Expr stop = bound();
            Expr step = tokens.skipOperator(":") ? bound() : null;
            result = new Expr.Slice(at, target, start, stop, step);
        } else {
            result = new Expr.Item(at, target, start);
        }
        if (tokens.current().isOperator(",")) {
            throw TemplateException.at(at, TemplateException.Kind.UNSUPPORTED, "an index of several values is not supported");
        }
        tokens.expectOperator("]");
        return result;
    }

    private Expr bound() {
        Token token = tokens.current();
        return token.isOperator(":") || token.isOperator("]") || token.isOperator(",") ? null : expressions.expression();
    }

    private Expr filters(Expr operand) {
        Expr result = operand;
        for (int count = 0; ; count++) {
            guard(count);
            if (tokens.current().isOperator("|")) {
                tokens.next();
                result = filter(result);
            } else if (tokens.current().isName("is")) {
                result = test(result);
            } else if (tokens.current().isOperator("(")) {
                result = new Expr.Call(tokens.current().at(), result, arguments());
            } else {
                return result;
            }
        }
    }

    /// The filter whose name comes next, and none behind it.
    Expr filter(Expr input) {
        Position at = tokens.current().at();
        String name = dottedName();
        known(at, "filter", name, Filters.isKnown(name));
        Expr.Arguments arguments = tokens.current().isOperator("(") ? arguments() : Expr.Arguments.NONE;
        return new Expr.Filter(at, input, name, arguments);
    }

    private Expr test(Expr input) {
        Position at = tokens.next().at();
        boolean negated = tokens.skipName("not");
        String name = dottedName();
        known(at, "test", name, Tests.isKnown(name));
        Expr test = new Expr.Test(at, input, name, testArguments());
        return negated ? new Expr.Not(at, test) : test;
    }

    private Expr.Arguments testArguments() {
        Token token = tokens.current();
        if (token.isOperator("(")) {
            return arguments();
        }
        if (token.isName("is")) {
            throw tokens.error("tests cannot be chained with 'is'");
        }
        boolean argument = switch (token.type()) {
            case NAME -> !ENDS_TEST.contains(token.text());
            case TEXT, NUMBER -> true;
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            case DATA, BLOCK_BEGIN, BLOCK_END, PRINT_BEGIN, PRINT_END, END -> false;
        };
        return argument ? new Expr.Arguments(List.of(postfix(primary())), Map.of(), null, null) : Expr.Arguments.NONE;
    }

    Expr.Arguments arguments() {
        tokens.expectOperator("(");
        var positional = new ArrayList<Expr>();
        var named = new LinkedHashMap<String, Expr>();
        Expr spread = null;
        Expr namedSpread = null;
        while (!tokens.skipOperator(")")) {
            if (namedSpread == null && spread == null && tokens.skipOperator("*")) {
                spread = expressions.expression();
            } else if (namedSpread == null && tokens.skipOperator("**")) {
                namedSpread = expressions.expression();
            } else if (tokens.current().type() == Token.Type.NAME && tokens.look().isOperator("=") && namedSpread == null) {
                String name = tokens.next().text();
                tokens.next();
                named.put(name, expressions.expression());
            } else if (spread == null && namedSpread == null && named.isEmpty()) {
                positional.add(expressions.expression());
            } else {
                throw tokens.error("a positional argument may not follow named ones");
            }
            separator(")");
        }
        return new Expr.Arguments(positional, named, spread, namedSpread);
    }

    private String dottedName() {
        var name = new StringBuilder(tokens.expectName());
        while (tokens.skipOperator(".")) {
            name.append('.').append(tokens.expectName());
        }
        return name.toString();
    }

    private void known(Position at, String kind, String name, boolean known) {
        if (!known && !expressions.isOptional()) {
            throw TemplateException.at(at, TemplateException.Kind.UNSUPPORTED, "the " + kind + " '" + name + "' is not supported");
        }
    }

    private void guard(int count) {
        if (count >= MAX_CHAIN) {
            throw tokens.error("more than " + MAX_CHAIN + " subscripts, calls or filters in a row");
        }
    }

    private static TemplateException unexpected(Token token) {
        return TemplateException.at(token.at(), TemplateException.Kind.SYNTAX, "unexpected " + token.describe());
    }
}
