package dev.sluice.text.template;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Splits a template into text and the tokens of its tags, with `trim_blocks` and `lstrip_blocks` on, as transformers
/// sets them: a statement or comment swallows the spaces before it on its line and the line end behind it.
final class Lexer {

    private final Source source;
    private final ExpressionLexer expressions;
    private final List<Token> tokens = new ArrayList<>();
    private int at;

    private Lexer(Source source) {
        this.source = source;
        expressions = new ExpressionLexer(source, tokens);
    }

    static List<Token> tokens(String template) {
        var lexer = new Lexer(new Source(template));
        lexer.run();
        return lexer.tokens;
    }

    private void run() {
        while (at < source.length()) {
            int tag = nextTag();
            data(at, tag);
            at = tag;
            if (tag < source.length()) {
                tag(source.at(tag + 1));
            }
        }
        tokens.add(new Token(Token.Type.END, "", null, source.position(source.length())));
    }

    private int nextTag() {
        int tag = source.indexOf("{", at);
        while (tag >= 0 && "{%#".indexOf(source.at(tag + 1)) < 0) {
            tag = source.indexOf("{", tag + 1);
        }
        return tag < 0 ? source.length() : tag;
    }

    /// Text up to a tag, stripped as the tag asks.
    private void data(int from, int to) {
        int end = to;
        char sign = source.at(to + 2);
        if (to < source.length() && sign == '-') {
            while (end > from && PythonText.isSpace(source.at(end - 1))) {
                end--;
            }
        } else if (to < source.length() && sign != '+' && source.at(to + 1) != '{') {
            end = withoutIndent(from, to);
        }
        if (end > from) {
            tokens.add(new Token(Token.Type.DATA, source.substring(from, end), null, source.position(from)));
        }
    }

    private int withoutIndent(int from, int to) {
        int start = to;
        while (start > from && source.at(start - 1) != '\n' && PythonText.isSpace(source.at(start - 1))) {
            start--;
        }
        return start == 0 || source.at(start - 1) == '\n' ? start : to;
    }

    private void tag(char kind) {
        int inside = at + (isSign(source.at(at + 2)) ? 3 : 2);
        switch (kind) {
            case '#' -> at = commentEnd(inside);
            case '{' -> at = expressions.read(at, inside, Token.Type.PRINT_BEGIN, "}}", Set.of('-'));
            default -> block(inside);
        }
    }

    private void block(int inside) {
        int name = source.skipSpace(inside);
        int after = source.startsWith("raw", name) ? source.skipSpace(name + 3) : -1;
        if (after >= 0 && source.startsWith("-%}", after)) {
            raw(source.skipSpace(after + 3));
        } else if (after >= 0 && source.startsWith("%}", after)) {
            raw(after + 2);
        } else {
            at = expressions.read(at, inside, Token.Type.BLOCK_BEGIN, "%}", Set.of('-', '+'));
        }
    }

    private void raw(int from) {
        for (int tag = source.indexOf("{%", from); tag >= 0; tag = source.indexOf("{%", tag + 2)) {
            int name = source.skipSpace(tag + (isSign(source.at(tag + 2)) ? 3 : 2));
            int after = source.startsWith("endraw", name) ? source.skipSpace(name + 6) : -1;
            int end = after < 0 ? -1 : source.startsWith("%}", after) ? after
                    : isSign(source.at(after)) && source.startsWith("%}", after + 1) ? after + 1 : -1;
            if (end >= 0) {
                data(from, tag);
                at = behind(end + 2, end > after ? source.at(after) : '\0');
                return;
            }
        }
        throw source.error(at, "{% raw %} has no {% endraw %}");
    }

    private int commentEnd(int inside) {
        int end = source.indexOf("#}", inside);
        if (end < 0) {
            throw source.error(at, "the comment has no end '#}'");
        }
        return behind(end + 2, end > inside ? source.at(end - 1) : '\0');
    }

    private int behind(int end, char sign) {
        return sign == '-' ? source.skipSpace(end) : sign != '+' && source.at(end) == '\n' ? end + 1 : end;
    }

    private static boolean isSign(char c) {
        return c == '-' || c == '+';
    }
}
