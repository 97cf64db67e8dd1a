package dev.sluice.evaluator.retrain;

import dev.sluice.contracts.evaluation.Promotion;
import dev.sluice.contracts.job.JobSpec;
import java.time.Instant;
import java.util.Set;

/// What the log says about an alias that has a champion.
///
/// @param champion the latest decision about the alias
/// @param championSpec the job that made its champion
/// @param acceptedThen examples in the dataset version that the champion was trained on
/// @param acceptedNow examples in the dataset by now
/// @param inFlight a job for this alias that has not ended, or whose adapter is not judged yet; null: none
/// @param lastRetrain when the last retraining for this alias was taken in; null: never
/// @param submitted ids of all jobs known
public record Situation(Promotion champion, JobSpec championSpec, long acceptedThen, long acceptedNow, String inFlight,
        Instant lastRetrain, Set<String> submitted) {
    public Situation {
        submitted = Set.copyOf(submitted);
    }
}
