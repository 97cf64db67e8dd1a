package dev.sluice.model.config;

import java.util.List;

/// A decoder's architecture, whatever its family: all that the forward and backward passes need to know.
///
/// @param modelType `model_type` of the family
/// @param vocabulary rows of the embedding and of the head
/// @param hidden width of the residual stream
/// @param normEpsilon added to the mean square in every RMS norm
/// @param maxPositions longest sequence the model was made for
/// @param tiedEmbeddings the head is the embedding table
/// @param feedForwards one entry per layer
/// @param eosTokens ids that end an answer, from the model's configuration; may be empty
public record DecoderConfig(String modelType, int vocabulary, int hidden, double normEpsilon, int maxPositions,
        boolean tiedEmbeddings, AttentionConfig attention, RopeConfig rope, List<FeedForwardConfig> feedForwards,
        List<Integer> eosTokens) {
    public DecoderConfig {
        feedForwards = List.copyOf(feedForwards);
        eosTokens = List.copyOf(eosTokens);
    }

    public int layers() {
        return feedForwards.size();
    }
}
