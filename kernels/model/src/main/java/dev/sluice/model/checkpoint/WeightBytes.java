package dev.sluice.model.checkpoint;

/// What a checkpoint's weights take in a backend.
///
/// @param kept for as long as they are loaded
/// @param unpacked scratch memory of a step, to multiply with the largest packed one
public record WeightBytes(long kept, long unpacked) {}
