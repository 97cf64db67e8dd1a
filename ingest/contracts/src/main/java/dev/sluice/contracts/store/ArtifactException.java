package dev.sluice.contracts.store;

import java.io.IOException;

/// An artifact is missing, damaged, or addressed outside its store.
public final class ArtifactException extends IOException {

    /// What is wrong.
    public enum Problem { MISSING, DAMAGED, OUTSIDE }

    private final Problem problem;

    ArtifactException(Problem problem, String message) {
        super(message);
        this.problem = problem;
    }

    public Problem problem() {
        return problem;
    }
}
