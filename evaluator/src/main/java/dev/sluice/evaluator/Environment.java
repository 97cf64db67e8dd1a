package dev.sluice.evaluator;

import dev.sluice.contracts.log.KafkaConnection;
import dev.sluice.contracts.store.ArtifactStore;
import dev.sluice.contracts.topic.Topics;
import dev.sluice.evaluator.device.ModelFolders;
import dev.sluice.evaluator.failure.RetryRule;
import dev.sluice.evaluator.retrain.RetrainRule;
import dev.sluice.evaluator.statistic.PairedBootstrap;
import java.nio.file.Path;

/// What an evaluator works with.
///
/// @param replicationFactor of topics that are created here
/// @param backend `auto` or a backend's name
/// @param scratch folder for files on their way out of the store
/// @param maxNewTokens most tokens of a sample answer
public record Environment(KafkaConnection connection, Topics topics, int replicationFactor, ArtifactStore store, ModelFolders models,
        String backend, Path scratch, PairedBootstrap bootstrap, int maxNewTokens, RetryRule retry, RetrainRule retrain) {}
