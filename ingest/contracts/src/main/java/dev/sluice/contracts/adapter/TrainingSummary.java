package dev.sluice.contracts.adapter;

/// How the training went.
///
/// @param steps optimiser steps
/// @param firstLoss loss of the first step, nats per trained token
/// @param finalLoss loss of the last step
/// @param trainedTokens over all steps
/// @param seconds wall-clock over all attempts
public record TrainingSummary(int steps, double firstLoss, double finalLoss, long trainedTokens, double seconds) {}
