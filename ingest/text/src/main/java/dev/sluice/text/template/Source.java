package dev.sluice.text.template;

import java.util.Arrays;
import java.util.stream.IntStream;

/// A template's text with line ends made one and its single last line end dropped, as Jinja reads it.
final class Source {

    private final String text;
    private final int[] lineStarts;

    Source(String raw) {
        String unix = raw.replace("\r\n", "\n").replace('\r', '\n');
        text = unix.endsWith("\n") ? unix.substring(0, unix.length() - 1) : unix;
        lineStarts = IntStream.concat(IntStream.of(0),
                IntStream.range(0, text.length()).filter(i -> text.charAt(i) == '\n').map(i -> i + 1)).toArray();
    }

    int length() {
        return text.length();
    }

    /// The character at the index, or NUL behind the end.
    char at(int index) {
        return index < text.length() ? text.charAt(index) : '\0';
    }

    boolean startsWith(String prefix, int index) {
        return text.startsWith(prefix, index);
    }

    int indexOf(String part, int from) {
        return text.indexOf(part, from);
    }

    String substring(int from, int to) {
        return text.substring(from, to);
    }

    int skipSpace(int index) {
        int i = index;
        while (i < text.length() && PythonText.isSpace(text.charAt(i))) {
            i++;
        }
        return i;
    }

    Position position(int index) {
        int found = Arrays.binarySearch(lineStarts, index);
        int line = found >= 0 ? found : -found - 2;
        return new Position(line + 1, index - lineStarts[line] + 1);
    }

    TemplateException error(int index, String problem) {
        return TemplateException.at(position(index), TemplateException.Kind.SYNTAX, problem);
    }
}
