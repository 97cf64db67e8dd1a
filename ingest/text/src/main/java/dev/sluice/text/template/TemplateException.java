package dev.sluice.text.template;

/// A chat template cannot be compiled or rendered. The message names the construct, and the line and column of the
/// template where it stands.
public final class TemplateException extends RuntimeException {

    /// What went wrong.
    public enum Kind {
        /// The text is no template.
        SYNTAX,
        /// Valid Jinja that this interpreter leaves out.
        UNSUPPORTED,
        /// An operation that Python refuses: wrong types, missing values.
        EVALUATION,
        /// The template itself called `raise_exception`.
        RAISED,
        /// The template used up its [Budget].
        BUDGET
    }

    private final Kind kind;
    private final String problem;
    private final int line;
    private final int column;

    private TemplateException(Kind kind, String problem, int line, int column) {
        super("Chat template, line " + line + ", column " + column + ": " + problem, null, false, false);
        this.kind = kind;
        this.problem = problem;
        this.line = line;
        this.column = column;
    }

    static TemplateException at(Position position, Kind kind, String problem) {
        return new TemplateException(kind, problem, position.line(), position.column());
    }

    public Kind kind() {
        return kind;
    }

    /// The message without its place; for [Kind#RAISED] exactly what the template said.
    public String problem() {
        return problem;
    }

    /// Counted from 1.
    public int line() {
        return line;
    }

    /// Counted from 1, in UTF-16 units.
    public int column() {
        return column;
    }
}
