package dev.sluice.model.checkpoint;

import dev.sluice.model.decoder.DecoderWeights;

/// Weights of the right shapes and without numbers, for a dry run.
///
/// @param bytes what they come to
public record CountedWeights(DecoderWeights weights, long bytes) {}
