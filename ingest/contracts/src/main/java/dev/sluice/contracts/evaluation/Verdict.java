package dev.sluice.contracts.evaluation;

/// What an adapter ends with: its score beside a baseline, or the reason why it gets none.
public sealed interface Verdict extends ScoreEvent permits Score, Unscored {}
