package dev.sluice.ingest.rest;

/// Ends a request with a [Problem].
final class ProblemException extends RuntimeException {

    private final transient Problem problem;
    private final int retryAfterSeconds;

    private ProblemException(Problem problem, int retryAfterSeconds) {
        super(problem.detail());
        this.problem = problem;
        this.retryAfterSeconds = retryAfterSeconds;
    }

    static ProblemException of(int status, String title, String detail) {
        return new ProblemException(Problem.of(status, title, detail), 0);
    }

    static ProblemException later(int status, String title, String detail, int seconds) {
        return new ProblemException(Problem.of(status, title, detail), seconds);
    }

    Problem problem() {
        return problem;
    }

    /// 0: none.
    int retryAfterSeconds() {
        return retryAfterSeconds;
    }
}
