package dev.sluice.text.template;

import java.util.List;

/// Tokens with a cursor, and the parser's guard against absurd nesting.
final class TokenStream {

    private static final int MAX_DEPTH = 100;

    private final List<Token> tokens;
    private int at;
    private int depth;

    TokenStream(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token current() {
        return tokens.get(at);
    }

    Token look() {
        return tokens.get(Math.min(at + 1, tokens.size() - 1));
    }

    Token next() {
        Token token = current();
        at = Math.min(at + 1, tokens.size() - 1);
        return token;
    }

    boolean skipName(String name) {
        return skip(current().isName(name));
    }

    boolean skipOperator(String operator) {
        return skip(current().isOperator(operator));
    }

    private boolean skip(boolean matches) {
        if (matches) {
            next();
        }
        return matches;
    }

    Token expect(Token.Type type, String wanted) {
        if (current().type() != type) {
            throw error("expected " + wanted + ", found " + current().describe());
        }
        return next();
    }

    String expectName() {
        return expect(Token.Type.NAME, "a name").text();
    }

    void expectOperator(String operator) {
        if (!skipOperator(operator)) {
            throw error("expected '" + operator + "', found " + current().describe());
        }
    }

    void expectName(String name) {
        if (!skipName(name)) {
            throw error("expected '" + name + "', found " + current().describe());
        }
    }

    void enter() {
        if (++depth > MAX_DEPTH) {
            throw error("nested more than " + MAX_DEPTH + " levels deep");
        }
    }

    void leave() {
        depth--;
    }

    TemplateException error(String problem) {
        return TemplateException.at(current().at(), TemplateException.Kind.SYNTAX, problem);
    }
}
