package dev.sluice.model.training;

import java.util.List;

/// What one optimiser step did.
///
/// @param step 1 for the first
/// @param loss summed negative log-likelihood over the step's trained tokens divided by their number, before the update
/// @param gradNorm global gradient norm before clipping
/// @param learningRate the one that was used
/// @param trainedTokens tokens with a label
/// @param tokens all tokens
/// @param milliseconds wall time
/// @param expertLoad how often each expert was picked, one entry per sparse layer
public record StepReport(long step, double loss, double gradNorm, double learningRate, long trainedTokens, long tokens,
        double milliseconds, List<ExpertLoad> expertLoad) {
    public StepReport {
        expertLoad = List.copyOf(expertLoad);
    }

    /// @param layer index of the layer in the model
    /// @param picks routed rows per expert
    public record ExpertLoad(int layer, long[] picks) {}
}
