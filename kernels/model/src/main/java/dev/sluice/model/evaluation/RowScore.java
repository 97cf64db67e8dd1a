package dev.sluice.model.evaluation;

/// How well a model predicts one row.
///
/// @param trainedTokens tokens with a label
/// @param nll summed negative log-likelihood of the labels, in nats
/// @param correct labels that are also the most likely token
public record RowScore(int trainedTokens, double nll, int correct) {}
