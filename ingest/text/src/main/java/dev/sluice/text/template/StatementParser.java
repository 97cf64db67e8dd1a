package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Parses a template into statements.
final class StatementParser {

    private static final Set<String> LEFT_OUT = Set.of("autoescape", "block", "do", "debug", "extends", "from", "import",
            "include", "trans", "pluralize");

    private final TokenStream tokens;
    private final ExpressionParser expressions;
    private final PrimaryParser filters;
    private int loops;
    private boolean marksAssistant;

    private StatementParser(TokenStream tokens) {
        this.tokens = tokens;
        expressions = new ExpressionParser(tokens);
        filters = new PrimaryParser(tokens, expressions);
    }

    /// @param marksAssistant whether there is a `{% generation %}` in it
    record Parsed(List<Node> body, boolean marksAssistant) {}

    static Parsed parse(String template) {
        var parser = new StatementParser(new TokenStream(Lexer.tokens(template)));
        List<Node> body = parser.body(Set.of());
        return new Parsed(body, parser.marksAssistant);
    }

    /// Statements up to a tag with one of these names, which is left to be read; with no names, up to the end.
    private List<Node> body(Set<String> ends) {
        var nodes = new ArrayList<Node>();
        tokens.enter();
        while (true) {
            Token token = tokens.next();
            switch (token.type()) {
                case DATA -> nodes.add(new Node.Text(token.text()));
                case PRINT_BEGIN -> nodes.add(print());
                case BLOCK_BEGIN -> {
                    if (tokens.current().type() == Token.Type.NAME && ends.contains(tokens.current().text())) {
                        tokens.leave();
                        return nodes;
                    }
                    nodes.add(statement());
                    tokens.expect(Token.Type.BLOCK_END, "'%}'");
                }
                case END -> {
                    if (!ends.isEmpty()) {
                        throw tokens.error("the template ends where " + ends.stream().sorted().toList() + " was expected");
                    }
                    tokens.leave();
                    return nodes;
                }
                case BLOCK_END, PRINT_END, NAME, TEXT, NUMBER, OPERATOR ->
                    throw new IllegalStateException("The lexer puts " + token.describe() + " inside tags only.");
            }
        }
    }

    /// A body that ends with this tag, its name read.
    private List<Node> bodyUpTo(String end) {
        tokens.expect(Token.Type.BLOCK_END, "'%}'");
        List<Node> body = body(Set.of(end));
        tokens.next();
        return body;
    }

    /// A body that runs apart from the loop around it, so that nothing in it can leave the loop.
    private List<Node> separateBody(String end) {
        int outside = loops;
        loops = 0;
        List<Node> body = bodyUpTo(end);
        loops = outside;
        return body;
    }

    private Node print() {
        var print = new Node.Print(expressions.tuple());
        tokens.expect(Token.Type.PRINT_END, "'}}'");
        return print;
    }

    private Node statement() {
        Token name = tokens.expect(Token.Type.NAME, "the name of a statement");
        return switch (name.text()) {
            case "if" -> conditional();
            case "for" -> loop(name.at());
            case "set" -> assignment(name.at());
            case "macro" -> macro(name.at());
            case "call" -> callBlock(name.at());
            case "filter" -> filterBlock(name.at());
            case "with" -> with();
            case "generation" -> generation(name.at());
            case "break" -> insideLoop(name, new Node.Break());
            case "continue" -> insideLoop(name, new Node.Continue());
            case String other when LEFT_OUT.contains(other) -> throw TemplateException.at(name.at(),
                    TemplateException.Kind.UNSUPPORTED, "the statement '" + other + "' is not supported");
            case String other -> throw TemplateException.at(name.at(), TemplateException.Kind.SYNTAX,
                    "unknown statement '" + other + "'");
        };
    }

    private Node insideLoop(Token name, Node node) {
        if (loops == 0) {
            throw TemplateException.at(name.at(), TemplateException.Kind.SYNTAX, "'" + name.text() + "' outside of a loop");
        }
        return node;
    }

    private Node conditional() {
        expressions.enterOptional();
        var branches = new ArrayList<Node.Branch>();
        List<Node> otherwise = List.of();
        String tag = "if";
        while (!tag.equals("endif")) {
            Expr condition = tag.equals("else") ? null : expressions.tuple();
            tokens.expect(Token.Type.BLOCK_END, "'%}'");
            List<Node> body = body(condition == null ? Set.of("endif") : Set.of("elif", "else", "endif"));
            if (condition == null) {
                otherwise = body;
            } else {
                branches.add(new Node.Branch(condition, body));
            }
            tag = tokens.next().text();
        }
        expressions.leaveOptional();
        return new Node.If(branches, otherwise);
    }

    private Node loop(Position at) {
        Node.Target target = targets("in");
        tokens.expectName("in");
        Expr items = expressions.loopItems();
        Expr filter = tokens.skipName("if") ? expressions.expression() : null;
        boolean recursive = tokens.skipName("recursive");
        tokens.expect(Token.Type.BLOCK_END, "'%}'");
        loops++;
        List<Node> body = body(Set.of("endfor", "else"));
        loops--;
        List<Node> otherwise = tokens.next().text().equals("else") ? bodyUpTo("endfor") : List.of();
        return new Node.For(at, target, items, filter, recursive, body, otherwise);
    }

    private Node.Target targets(String end) {
        var targets = new ArrayList<Node.Target>();
        boolean comma = false;
        while (!tokens.current().isName(end) && !tokens.current().isOperator(")")) {
            targets.add(target());
            if (!tokens.skipOperator(",")) {
                break;
            }
            comma = true;
        }
        if (targets.isEmpty()) {
            throw tokens.error("expected a variable to assign to, found " + tokens.current().describe());
        }
        return comma ? new Node.Target.Several(targets) : targets.getFirst();
    }

    private Node.Target target() {
        if (tokens.skipOperator("(")) {
            Node.Target inner = targets(")");
            tokens.expectOperator(")");
            return inner;
        }
        Token name = tokens.expect(Token.Type.NAME, "a variable to assign to");
        if (Set.of("true", "false", "none", "True", "False", "None").contains(name.text())) {
            throw TemplateException.at(name.at(), TemplateException.Kind.SYNTAX, "cannot assign to '" + name.text() + "'");
        }
        if (tokens.skipOperator(".")) {
            expressions.noteName(name.text());
            return new Node.Target.Member(name.text(), tokens.expectName());
        }
        return new Node.Target.Variable(name.text());
    }

    private Node assignment(Position at) {
        Node.Target target = targets("=");
        if (tokens.skipOperator("=")) {
            return new Node.Assign(at, target, expressions.tuple());
        }
        Expr value = filterChain(at);
        return new Node.Capture(at, target, value, separateBody("endset"));
    }

    /// Filters on a captured body.
    private Expr filterChain(Position at) {
        Expr value = new Expr.Name(at, Node.BODY);
        while (tokens.skipOperator("|")) {
            value = filters.filter(value);
        }
        return value;
    }

    private Node filterBlock(Position at) {
        Expr value = filters.filter(new Expr.Name(at, Node.BODY));
        while (tokens.skipOperator("|")) {
            value = filters.filter(value);
        }
        return new Node.FilterBlock(at, value, separateBody("endfilter"));
    }

    private Node with() {
        var assignments = new ArrayList<Node.Assign>();
        while (tokens.current().type() != Token.Type.BLOCK_END) {
            if (!assignments.isEmpty()) {
                tokens.expectOperator(",");
            }
            Position at = tokens.current().at();
            Node.Target target = target();
            tokens.expectOperator("=");
            assignments.add(new Node.Assign(at, target, expressions.expression()));
        }
        return new Node.With(assignments, bodyUpTo("endwith"));
    }

    private Node macro(Position at) {
        String name = tokens.expectName();
        var names = new HashSet<String>();
        Set<String> outside = expressions.collectInto(names);
        Node.Signature signature = signature(name, names);
        List<Node> body = separateBody("endmacro");
        expressions.collectInto(outside);
        outside.addAll(names);
        return new Node.MacroDefinition(at, signature, body);
    }

    private Node callBlock(Position at) {
        var names = new HashSet<String>();
        Set<String> outside = expressions.collectInto(names);
        Node.Signature signature = tokens.current().isOperator("(") ? signature("caller", names)
                : new Node.Signature("caller", List.of(), List.of(), names);
        if (!(expressions.expression() instanceof Expr.Call call)) {
            throw TemplateException.at(at, TemplateException.Kind.SYNTAX, "'call' needs a call of a macro");
        }
        List<Node> body = separateBody("endcall");
        expressions.collectInto(outside);
        outside.addAll(names);
        return new Node.CallBlock(at, call, signature, body);
    }

    private Node.Signature signature(String name, Set<String> names) {
        var parameters = new ArrayList<String>();
        var defaults = new ArrayList<Expr>();
        tokens.expectOperator("(");
        while (!tokens.skipOperator(")")) {
            parameters.add(tokens.expectName());
            if (tokens.skipOperator("=")) {
                defaults.add(expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw tokens.error("a parameter without a default may not follow one with a default");
            }
            if (!tokens.current().isOperator(")")) {
                tokens.expectOperator(",");
            }
        }
        return new Node.Signature(name, parameters, defaults, names);
    }

    private Node generation(Position at) {
        marksAssistant = true;
        return new Node.Generation(at, separateBody("endgeneration"));
    }
}
