package dev.sluice.model.decoder;

import dev.sluice.compute.Workload;
import dev.sluice.model.config.AttentionConfig;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.Families;
import dev.sluice.model.config.Family;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.lora.LoraSite;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.IntStream;

/// What a training run will do most, found out before anything is loaded.
public final class Workloads {
    private Workloads() {}

    /// @param tokens of the largest micro-batch
    /// @throws dev.sluice.model.InvalidFileException if the folder's `config.json` makes no sense
    public static Workload of(Path modelFolder, LoraSettings settings, int tokens) {
        var fields = Families.config(modelFolder);
        Family family = Families.of(fields);
        DecoderConfig config = family.read(fields);
        return of(config, AdapterLayout.of(config, family.names(), settings), tokens);
    }

    /// Of a model whose layers differ, the attention that sees most counts. Without an adapter in any layer
    /// none is differentiated, and none counts.
    public static Workload of(DecoderConfig config, AdapterLayout layout, int tokens) {
        int rank = layout.sites().stream().mapToInt(LoraSite::rank).max().orElseThrow();
        boolean layersTrained = layout.sites().stream().anyMatch(site -> site.layer() >= 0);
        return new Workload(config.hidden(), rank, tokens, layersTrained ? attention(config) : null, layersTrained ? experts(config) : null);
    }

    private static Workload.Attention attention(DecoderConfig config) {
        return IntStream.range(0, config.layers()).mapToObj(config::mixer)
                .filter(AttentionConfig.class::isInstance).map(AttentionConfig.class::cast)
                .max(Comparator.comparingInt(one -> one.window() == 0 ? Integer.MAX_VALUE : one.window()))
                .map(one -> new Workload.Attention(one.heads(), one.kvHeads(), one.headDim(), one.valueDim(), one.window(), one.sinks()))
                .orElse(null);
    }

    private static Workload.Experts experts(DecoderConfig config) {
        return IntStream.range(0, config.layers()).mapToObj(config::feedForward)
                .filter(SparseConfig.class::isInstance).map(SparseConfig.class::cast).findFirst()
                .map(one -> new Workload.Experts(one.experts(), one.topK(), one.width(), one.stack().activation(), one.stack().bias()))
                .orElse(null);
    }
}
