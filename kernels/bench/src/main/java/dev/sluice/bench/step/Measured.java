package dev.sluice.bench.step;

import dev.sluice.bench.machine.Spread;
import dev.sluice.model.decoder.ActivationChoice;

/// Measured steps of one context.
///
/// @param choice what layers kept for the backward pass, and what was planned
/// @param time of a step in milliseconds
/// @param processorMillis user and system time of all threads, of an average step
/// @param peakBytes most bytes of tensors at once: weights, adapter, optimiser and the largest step; no context, no reserve
/// @param deviceBytes of a GPU that are not free after the steps, context and reserve included; 0 on the CPU
/// @param hostBytes largest resident size of the process
/// @param pinnedBytes of the host's memory that inputs of layers took, where they wait there
/// @param firstLoss before the first update
/// @param loss of the last step
/// @param replayed steps that ran as one recording
/// @param launches of kernels in a step, replayed ones too; 0 on the CPU
record Measured(int context, ActivationChoice choice, Spread time, double processorMillis, long peakBytes, long deviceBytes,
        long hostBytes, long pinnedBytes, double firstLoss, double loss, long replayed, long launches) {}
