package dev.sluice.model.config;

/// What happens to the residual stream outside attention and feed-forward layers.
///
/// @param normEpsilon added to the mean square in every RMS norm
/// @param unitOffset norms multiply with 1 + their weight (Gemma)
/// @param outputNorms the outputs of both halves of a layer are normalised too, before they are added (Gemma)
/// @param embeddingScale what embeddings are multiplied by
/// @param residualScale what the output of each half of a layer is multiplied by before it is added (Granite)
/// @param logitScale what logits are multiplied by (Granite)
public record StreamConfig(double normEpsilon, boolean unitOffset, boolean outputNorms, float embeddingScale,
        float residualScale, float logitScale) {
    static StreamConfig plain(double normEpsilon) {
        return new StreamConfig(normEpsilon, false, false, 1, 1, 1);
    }
}
