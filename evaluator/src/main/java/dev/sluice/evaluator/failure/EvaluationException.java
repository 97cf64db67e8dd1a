package dev.sluice.evaluator.failure;

/// A score cannot be made, and we know why.
public final class EvaluationException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final transient Failure failure;

    public EvaluationException(Failure failure) {
        super(failure.reason());
        this.failure = failure;
    }

    public Failure failure() {
        return failure;
    }
}
