package dev.sluice.model.config;

import java.util.List;

/// A decoder's architecture, whatever its family: all that the forward and backward passes need to know.
///
/// @param modelType `model_type` of the family
/// @param vocabulary rows of the embedding and of the head
/// @param hidden width of the residual stream
/// @param maxPositions longest sequence the model was made for
/// @param tiedEmbeddings the head is the embedding table
/// @param eosTokens ids that end an answer, from the model's configuration; may be empty
public record DecoderConfig(String modelType, int vocabulary, int hidden, int maxPositions, boolean tiedEmbeddings,
        StreamConfig stream, List<LayerConfig> layerConfigs, List<Integer> eosTokens) {
    public DecoderConfig {
        layerConfigs = List.copyOf(layerConfigs);
        eosTokens = List.copyOf(eosTokens);
    }

    /// The same decoder with or without a head of its own.
    DecoderConfig withTiedEmbeddings(boolean tied) {
        return new DecoderConfig(modelType, vocabulary, hidden, maxPositions, tied, stream, layerConfigs, eosTokens);
    }

    public int layers() {
        return layerConfigs.size();
    }

    public MixerConfig mixer(int layer) {
        return layerConfigs.get(layer).mixer();
    }

    public FeedForwardConfig feedForward(int layer) {
        return layerConfigs.get(layer).feedForward();
    }
}
