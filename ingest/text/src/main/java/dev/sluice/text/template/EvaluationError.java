package dev.sluice.text.template;

/// An operation failed; the evaluator adds the place and turns it into a [TemplateException].
final class EvaluationError extends RuntimeException {

    private final transient TemplateException.Kind kind;

    private EvaluationError(TemplateException.Kind kind, String problem) {
        super(problem, null, false, false);
        this.kind = kind;
    }

    /// What Python would refuse too.
    static EvaluationError refused(String problem) {
        return new EvaluationError(TemplateException.Kind.EVALUATION, problem);
    }

    /// What Python can do and this interpreter cannot.
    static EvaluationError unsupported(String construct) {
        return new EvaluationError(TemplateException.Kind.UNSUPPORTED, construct + " is not supported by this interpreter");
    }

    static EvaluationError raised(String message) {
        return new EvaluationError(TemplateException.Kind.RAISED, message);
    }

    static EvaluationError overBudget(String what) {
        return new EvaluationError(TemplateException.Kind.BUDGET, what
                + "; the template loops too long or grows without bound. Raise the budget only for a template you trust");
    }

    TemplateException at(Position position) {
        return TemplateException.at(position, kind, getMessage());
    }
}
