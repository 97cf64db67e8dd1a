package dev.sluice.text.template;

import java.math.BigInteger;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads the inside of one tag.
final class ExpressionLexer {

    private static final Pattern NUMBER = Pattern.compile("0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+"
            + "|(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][+-]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)|[1-9](?:_?\\d)*|0(?:_?0)*");
    private static final List<String> OPERATORS = List.of("//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~",
            "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";");

    private final Source source;
    private final List<Token> tokens;
    private final Deque<Character> open = new ArrayDeque<>();

    ExpressionLexer(Source source, List<Token> tokens) {
        this.source = source;
        this.tokens = tokens;
    }

    /// @return the index behind the tag's end
    int read(int tag, int inside, Token.Type begin, String end, Set<Character> signs) {
        add(begin, source.substring(tag, tag + 2), null, tag);
        Token.Type ending = begin == Token.Type.BLOCK_BEGIN ? Token.Type.BLOCK_END : Token.Type.PRINT_END;
        open.clear();
        int at = inside;
        while (true) {
            at = source.skipSpace(at);
            if (at >= source.length()) {
                throw source.error(tag, "the tag has no end '" + end + "'");
            }
            int after = open.isEmpty() ? behindEnd(at, end, signs) : -1;
            if (after >= 0) {
                add(ending, end, null, at);
                return after;
            }
            at = token(at);
        }
    }

    private int behindEnd(int at, String end, Set<Character> signs) {
        char sign = source.at(at);
        if (signs.contains(sign) && source.startsWith(end, at + 1)) {
            return sign == '-' ? source.skipSpace(at + 3) : at + 3;
        }
        if (!source.startsWith(end, at)) {
            return -1;
        }
        return end.equals("%}") && source.at(at + 2) == '\n' ? at + 3 : at + 2;
    }

    private int token(int at) {
        char c = source.at(at);
        if (c == '"' || c == '\'') {
            return text(at, c);
        }
        if (c >= '0' && c <= '9') {
            return number(at);
        }
        return Character.isUnicodeIdentifierPart(c) && !Character.isIdentifierIgnorable(c) || c == '_' ? name(at) : operator(at);
    }

    private int text(int at, char quote) {
        int end = at + 1;
        while (source.at(end) != quote) {
            end += source.at(end) == '\\' ? 2 : 1;
            if (end >= source.length()) {
                throw source.error(at, "the string has no closing " + quote);
            }
        }
        add(Token.Type.TEXT, "", TextLiteral.unescape(source, at + 1, end), at);
        return end + 1;
    }

    private int number(int at) {
        Matcher number = NUMBER.matcher(source.substring(at, Math.min(source.length(), at + 400)));
        if (!number.lookingAt()) {
            throw source.error(at, "a number may not begin with 0");
        }
        String text = number.group();
        boolean afterDot = source.at(Math.max(0, at - 1)) == '.';
        if (afterDot && text.indexOf('.') >= 0) {
            text = text.substring(0, text.indexOf('.'));
        }
        add(Token.Type.NUMBER, text, value(text.replace("_", "")), at);
        return at + text.length();
    }

    private static Object value(String text) {
        if (text.length() > 2 && Character.isLetter(text.charAt(1)) && text.charAt(0) == '0' && "xXoObB".indexOf(text.charAt(1)) >= 0) {
            int radix = switch (Character.toLowerCase(text.charAt(1))) {
                case 'x' -> 16;
                case 'o' -> 8;
                default -> 2;
            };
            return Numbers.integer(new BigInteger(text.substring(2), radix));
        }
        return text.chars().allMatch(Character::isDigit) ? Numbers.integer(new BigInteger(text)) : (Object) Double.valueOf(text);
    }

    private int name(int at) {
        int end = at;
        while (end < source.length() && Character.isUnicodeIdentifierPart(source.at(end))) {
            end++;
        }
        add(Token.Type.NAME, source.substring(at, end), null, at);
        return end;
    }

    private int operator(int at) {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                balance(operator, at);
                add(Token.Type.OPERATOR, operator, null, at);
                return at + operator.length();
            }
        }
        throw source.error(at, "unexpected character '" + source.at(at) + "'");
    }

    private void balance(String operator, int at) {
        switch (operator) {
            case "(" -> open.push(')');
            case "[" -> open.push(']');
            case "{" -> open.push('}');
            case ")", "]", "}" -> {
                if (open.isEmpty() || open.pop() != operator.charAt(0)) {
                    throw source.error(at, "unexpected '" + operator + "'");
                }
            }
            default -> { }
        }
    }

    private void add(Token.Type type, String text, Object value, int at) {
        tokens.add(new Token(type, text, value, source.position(at)));
    }
}
