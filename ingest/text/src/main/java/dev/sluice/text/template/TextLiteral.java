package dev.sluice.text.template;

/// Python's escapes in a string literal; an unknown escape keeps its backslash.
final class TextLiteral {

    private final Source source;
    private final int end;
    private final StringBuilder out = new StringBuilder();
    private int at;

    private TextLiteral(Source source, int from, int end) {
        this.source = source;
        this.at = from;
        this.end = end;
    }

    static String unescape(Source source, int from, int end) {
        var literal = new TextLiteral(source, from, end);
        while (literal.at < end) {
            literal.next();
        }
        return literal.out.toString();
    }

    private void next() {
        char c = source.at(at++);
        if (c != '\\') {
            out.append(c);
            return;
        }
        char escape = source.at(at++);
        switch (escape) {
            case '\n' -> { }
            case '\\', '\'', '"' -> out.append(escape);
            case 'a' -> out.append('\u0007');
            case 'b' -> out.append('\b');
            case 'f' -> out.append('\f');
            case 'n' -> out.append('\n');
            case 'r' -> out.append('\r');
            case 't' -> out.append('\t');
            case 'v' -> out.append('\u000b');
            case 'x' -> hex(2);
            case 'u' -> hex(4);
            case 'U' -> hex(8);
            case 'N' -> throw source.error(at - 2, "the escape \\N{...} is not supported");
            case '0', '1', '2', '3', '4', '5', '6', '7' -> octal();
            default -> out.append('\\').append(escape);
        }
    }

    private void hex(int digits) {
        try {
            out.appendCodePoint(Integer.parseInt(source.substring(at, Math.min(at + digits, end)), 16));
            at += digits;
        } catch (IllegalArgumentException e) {
            throw source.error(at - 2, "the escape needs " + digits + " hexadecimal digits of a character");
        }
        if (at > end) {
            throw source.error(end, "the escape needs " + digits + " hexadecimal digits");
        }
    }

    private void octal() {
        int value = 0;
        at--;
        for (int digits = 0; digits < 3 && at < end && source.at(at) >= '0' && source.at(at) <= '7'; digits++) {
            value = value * 8 + source.at(at++) - '0';
        }
        out.append((char) value);
    }
}
