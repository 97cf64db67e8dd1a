package dev.sluice.text.tokenizer;

import java.util.ArrayDeque;
import java.util.Deque;

/// Tells regular expressions that may backtrack without bound: the native library gives such a search up by aborting the
/// whole process, which nothing can catch.
///
/// Refused is a group repeated without bound whose body can match one text in several ways, because it repeats something
/// variably itself or has alternatives: `(a+)+`, `(a|aa)*`. Patterns of released tokenizers have no such groups.
final class PatternGuard {

    private static final class Group {

        private boolean variable;
    }

    private final String pattern;
    private final Deque<Group> open = new ArrayDeque<>();
    private int at;

    private PatternGuard(String pattern) {
        this.pattern = pattern;
        open.push(new Group());
    }

    static boolean isExplosive(String pattern) {
        return new PatternGuard(pattern).scan();
    }

    private boolean scan() {
        while (at < pattern.length()) {
            switch (pattern.charAt(at++)) {
                case '\\' -> skipEscape();
                case '[' -> skipClass();
                case '(' -> open();
                case ')' -> {
                    if (close()) {
                        return true;
                    }
                }
                case '|', '*', '+', '?' -> open.peek().variable = true;
                case '{' -> open.peek().variable |= !isFixed();
                default -> { }
            }
        }
        return false;
    }

    /// `\p{L}` and its like have braces that repeat nothing.
    private void skipEscape() {
        at++;
        if (at < pattern.length() && pattern.charAt(at) == '{' && "pPxu".indexOf(pattern.charAt(at - 1)) >= 0) {
            at = Math.max(at, pattern.indexOf('}', at));
        }
    }

    /// A group and its flags, `(?:`, `(?i:`, `(?=`, `(?<name>`: the question mark behind the bracket repeats nothing.
    private void open() {
        open.push(new Group());
        if (at < pattern.length() && pattern.charAt(at) == '?') {
            at++;
        }
    }

    /// @return whether the group that ends here explodes
    private boolean close() {
        if (open.size() == 1) {
            return false;
        }
        boolean variable = open.pop().variable;
        open.peek().variable |= variable;
        return variable && isRepeatedWithoutBound();
    }

    private boolean isRepeatedWithoutBound() {
        if (at >= pattern.length()) {
            return false;
        }
        char next = pattern.charAt(at);
        return next == '*' || next == '+' || next == '{' && !isFixed(at + 1);
    }

    private boolean isFixed() {
        return isFixed(at);
    }

    /// Whether the braces from this index say `n}`.
    private boolean isFixed(int from) {
        int end = pattern.indexOf('}', from);
        return end > from && end - from < 3 && pattern.substring(from, end).chars().allMatch(Character::isDigit);
    }

    private void skipClass() {
        int depth = 1;
        while (at < pattern.length() && depth > 0) {
            switch (pattern.charAt(at++)) {
                case '\\' -> at++;
                case '[' -> depth++;
                case ']' -> depth--;
                default -> { }
            }
        }
    }
}
