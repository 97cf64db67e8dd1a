package dev.sluice.evaluator;

import dev.sluice.contracts.evaluation.Promotion;

/// What became of a request to roll an alias back.
public sealed interface Rollback {

    record Done(Promotion promotion) implements Rollback {}

    record UnknownAlias() implements Rollback {}

    /// The alias has never had another champion.
    record NothingBefore() implements Rollback {}

    /// A decision came in between.
    ///
    /// @param version of the latest decision
    record Changed(long version) implements Rollback {}
}
