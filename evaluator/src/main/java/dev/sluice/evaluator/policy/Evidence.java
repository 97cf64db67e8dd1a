package dev.sluice.evaluator.policy;

import dev.sluice.contracts.evaluation.Paired;

/// What is known about a candidate when it is judged.
public sealed interface Evidence {

    /// It was scored beside the one it has to beat.
    ///
    /// @param paired the comparison
    /// @param opponent who was beaten or not, in words: `champion 3f…`, `the base model`
    record Compared(Paired paired, String opponent) implements Evidence {}

    /// It was scored beside its base model, but the champion it has to beat could not be scored.
    ///
    /// @param rows held-out rows
    /// @param reason why not
    record ChampionUnscorable(long rows, String reason) implements Evidence {}

    /// It could not be scored.
    ///
    /// @param reason why not, and what to do
    record Unscorable(String reason) implements Evidence {}

    /// There is nothing to score it with.
    record NothingHeldOut() implements Evidence {}
}
