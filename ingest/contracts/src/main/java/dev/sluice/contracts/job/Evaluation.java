package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.FieldChecks;

/// How the adapter is judged.
///
/// @param alias the champion pointer it competes for, for example `support`; absent: scored, never promoted
/// @param minimumRows held-out rows below which the decision is INCONCLUSIVE, default 30
/// @param confidence of the interval that must exclude zero, default 0.95
/// @param sampleAnswers held-out prompts answered before and after, default 0
public record Evaluation(String alias, Integer minimumRows, Double confidence, Integer sampleAnswers) {
    public Evaluation {
        minimumRows = minimumRows == null ? 30 : minimumRows;
        confidence = confidence == null ? 0.95 : confidence;
        sampleAnswers = sampleAnswers == null ? 0 : sampleAnswers;
        FieldChecks checks = new FieldChecks().atLeast(minimumRows, 1, "minimum_rows")
                .require(confidence > 0.5 && confidence < 1, "confidence", "above 0.5 and below 1", confidence)
                .require(sampleAnswers >= 0 && sampleAnswers <= 100, "sample_answers", "between 0 and 100", sampleAnswers);
        if (alias != null) {
            checks.id(alias, "alias");
        }
        checks.verify();
    }

    public static Evaluation defaults() {
        return new Evaluation(null, null, null, null);
    }
}
