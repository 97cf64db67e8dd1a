package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Parses expressions with Jinja's precedence, from loose to tight: conditional, or, and, not, comparison, `+ -`, `~`,
/// `* / // %`, `**`, sign, then filters and tests.
final class ExpressionParser {

    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");
    private static final Set<String> SUMS = Set.of("+", "-");
    private static final Set<String> PRODUCTS = Set.of("*", "/", "//", "%");
    private static final int MAX_OPERANDS = 1_000;

    private final TokenStream tokens;
    private final PrimaryParser primary;
    private Set<String> names = new HashSet<>();
    private int optional;

    ExpressionParser(TokenStream tokens) {
        this.tokens = tokens;
        primary = new PrimaryParser(tokens, this);
    }

    /// Starts to collect the names that expressions read.
    ///
    /// @return the collection in use until now, to be put back with [#collectInto]
    Set<String> collectInto(Set<String> collection) {
        Set<String> before = names;
        names = collection;
        return before;
    }

    void noteName(String name) {
        names.add(name);
    }

    /// Inside an `if`, an unknown filter or test fails only when it is reached.
    boolean isOptional() {
        return optional > 0;
    }

    void enterOptional() {
        optional++;
    }

    void leaveOptional() {
        optional--;
    }

    Expr expression() {
        tokens.enter();
        try {
            return conditional();
        } finally {
            tokens.leave();
        }
    }

    /// One expression, or several with commas between them.
    Expr tuple() {
        return tuple(true, false);
    }

    /// The items of a `for`: an `if` behind them is the loop's filter.
    Expr loopItems() {
        return tuple(false, false);
    }

    Expr tuple(boolean withConditional, boolean mayBeEmpty) {
        Position at = tokens.current().at();
        var items = new ArrayList<Expr>();
        boolean comma = false;
        while (!endsTuple(withConditional)) {
            items.add(withConditional ? expression() : or());
            if (!tokens.skipOperator(",")) {
                break;
            }
            comma = true;
        }
        if (items.isEmpty() && !mayBeEmpty) {
            throw tokens.error("expected an expression, found " + tokens.current().describe());
        }
        return comma || items.isEmpty() ? new Expr.TupleOf(at, items) : items.getFirst();
    }

    private boolean endsTuple(boolean withConditional) {
        Token token = tokens.current();
        return switch (token.type()) {
            case PRINT_END, BLOCK_END, END -> true;
            case OPERATOR -> token.text().equals(")");
            case NAME -> !withConditional && token.text().equals("recursive");
            case DATA, BLOCK_BEGIN, PRINT_BEGIN, TEXT, NUMBER -> false;
        };
    }

    private Expr conditional() {
        Expr then = or();
        while (tokens.current().isName("if")) {
            Position at = tokens.next().at();
            Expr condition = or();
            Expr otherwise = tokens.skipName("else") ? expression() : null;
            then = new Expr.Conditional(at, condition, then, otherwise);
        }
        return then;
    }

    private Expr or() {
        Expr left = and();
        for (int count = 0; tokens.current().isName("or"); count++) {
            left = new Expr.Or(operator(count), left, and());
        }
        return left;
    }

    private Expr and() {
        Expr left = not();
        for (int count = 0; tokens.current().isName("and"); count++) {
            left = new Expr.And(operator(count), left, not());
        }
        return left;
    }

    private Expr not() {
        if (!tokens.current().isName("not")) {
            return comparison();
        }
        tokens.enter();
        Expr not = new Expr.Not(tokens.next().at(), not());
        tokens.leave();
        return not;
    }

    private Expr comparison() {
        Position at = tokens.current().at();
        Expr first = sum();
        var operators = new ArrayList<String>();
        var operands = new ArrayList<Expr>();
        for (String operator = comparisonOperator(); operator != null; operator = comparisonOperator()) {
            operators.add(operator);
            operands.add(sum());
        }
        return operators.isEmpty() ? first : new Expr.Compare(at, first, operators, operands);
    }

    private String comparisonOperator() {
        Token token = tokens.current();
        if (token.type() == Token.Type.OPERATOR && COMPARISONS.contains(token.text())) {
            return tokens.next().text();
        }
        if (tokens.skipName("in")) {
            return "in";
        }
        if (token.isName("not") && tokens.look().isName("in")) {
            tokens.next();
            tokens.next();
            return "not in";
        }
        return null;
    }

    private Expr sum() {
        Expr left = concat();
        for (int count = 0; isOperator(SUMS); count++) {
            String sign = tokens.current().text();
            left = new Expr.Arithmetic(operator(count), sign, left, concat());
        }
        return left;
    }

    private Expr concat() {
        Position at = tokens.current().at();
        Expr first = product();
        if (!tokens.current().isOperator("~")) {
            return first;
        }
        var parts = new ArrayList<>(List.of(first));
        while (tokens.skipOperator("~")) {
            parts.add(product());
        }
        return new Expr.Concat(at, parts);
    }

    private Expr product() {
        Expr left = power();
        for (int count = 0; isOperator(PRODUCTS); count++) {
            String sign = tokens.current().text();
            left = new Expr.Arithmetic(operator(count), sign, left, power());
        }
        return left;
    }

    private Expr power() {
        Expr left = primary.unary(true);
        for (int count = 0; tokens.current().isOperator("**"); count++) {
            left = new Expr.Arithmetic(operator(count), "**", left, primary.unary(true));
        }
        return left;
    }

    private boolean isOperator(Set<String> operators) {
        return tokens.current().type() == Token.Type.OPERATOR && operators.contains(tokens.current().text());
    }

    private Position operator(int count) {
        if (count >= MAX_OPERANDS) {
            throw tokens.error("more than " + MAX_OPERANDS + " operands in a row");
        }
        return tokens.next().at();
    }
}
