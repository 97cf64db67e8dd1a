package dev.sluice.text.template;

/// A half-open range `[start, end)` of a rendered text, counted in Unicode code points as tokenizers and Python count
/// them. [String#offsetByCodePoints] converts to Java's UTF-16 units.
public record Span(int start, int end) {

    public Span {
        if (start < 0 || end < start) {
            throw new IllegalArgumentException("A span runs from a start of at least 0 to an end not before it, but is ["
                    + start + ", " + end + ").");
        }
    }
}
