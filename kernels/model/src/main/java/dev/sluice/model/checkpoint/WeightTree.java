package dev.sluice.model.checkpoint;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.decoder.DecoderWeights;
import dev.sluice.model.decoder.DecoderWeights.AttentionWeights;
import dev.sluice.model.decoder.DecoderWeights.DenseWeights;
import dev.sluice.model.decoder.DecoderWeights.FeedForwardWeights;
import dev.sluice.model.decoder.DecoderWeights.LayerWeights;
import dev.sluice.model.decoder.DecoderWeights.Projection;
import dev.sluice.model.decoder.DecoderWeights.SparseWeights;
import java.util.ArrayList;
import java.util.List;

/// Walks over every tensor a decoder needs, in a fixed order, and asks a source for each.
final class WeightTree {
    private final DecoderConfig config;
    private final TensorNames names;
    private final WeightSource source;

    private WeightTree(DecoderConfig config, TensorNames names, WeightSource source) {
        this.config = config;
        this.names = names;
        this.source = source;
    }

    static DecoderWeights build(DecoderConfig config, TensorNames names, WeightSource source) {
        return new WeightTree(config, names, source).decoder();
    }

    private DecoderWeights decoder() {
        Tensor embedding = plain(names.embedding() + ".weight", config.vocabulary(), config.hidden());
        Tensor finalNorm = plain(names.finalNorm() + ".weight", config.hidden());
        Tensor head = config.tiedEmbeddings() ? embedding
                : plain(names.head() + ".weight", config.vocabulary(), config.hidden());
        var layers = new ArrayList<LayerWeights>(config.layers());
        for (int layer = 0; layer < config.layers(); layer++) {
            layers.add(layer(layer));
        }
        return new DecoderWeights(embedding, finalNorm, new Weight.Dense(head), List.copyOf(layers));
    }

    private LayerWeights layer(int layer) {
        int hidden = config.hidden();
        return new LayerWeights(plain(names.inLayer(layer, names.inputNorm()) + ".weight", hidden), attention(layer),
                plain(names.inLayer(layer, names.postAttentionNorm()) + ".weight", hidden),
                switch (config.feedForwards().get(layer)) {
                    case DenseConfig dense -> dense(layer, dense);
                    case SparseConfig sparse -> sparse(layer, sparse);
                });
    }

    private AttentionWeights attention(int layer) {
        var attention = config.attention();
        int hidden = config.hidden();
        boolean bias = attention.bias();
        return new AttentionWeights(projection(layer, names.query(), attention.queryWidth(), hidden, bias),
                projection(layer, names.key(), attention.kvWidth(), hidden, bias),
                projection(layer, names.value(), attention.kvWidth(), hidden, bias),
                projection(layer, names.output(), hidden, attention.queryWidth(), bias),
                headNorm(layer, names.queryNorm()), headNorm(layer, names.keyNorm()));
    }

    private Tensor headNorm(int layer, String module) {
        return config.attention().qkNorm()
                ? plain(names.inLayer(layer, module) + ".weight", config.attention().headDim()) : null;
    }

    private FeedForwardWeights dense(int layer, DenseConfig dense) {
        return new DenseWeights(projection(layer, names.gate(), dense.width(), config.hidden(), false),
                projection(layer, names.up(), dense.width(), config.hidden(), false),
                projection(layer, names.down(), config.hidden(), dense.width(), false));
    }

    private FeedForwardWeights sparse(int layer, SparseConfig sparse) {
        Tensor router = plain(names.inLayer(layer, names.router()) + ".weight", sparse.experts(), config.hidden());
        return new SparseWeights(router,
                stack(layer, names.fusedGateUp(), List.of(names.expertGate(), names.expertUp()), sparse.experts(),
                        sparse.width(), config.hidden()),
                stack(layer, names.fusedDown(), List.of(names.expertDown()), sparse.experts(), config.hidden(), sparse.width()));
    }

    /// A stack of experts from one fused tensor, or from the experts' own: each one's modules behind one another.
    private Weight stack(int layer, String fused, List<String> modules, int experts, int rows, int columns) {
        String fusedName = names.inLayer(layer, fused);
        long[] shape = {experts, (long) modules.size() * rows, columns};
        var parts = new ArrayList<Part>();
        if (source.has(fusedName)) {
            parts.add(new Part(fusedName, shape));
        } else {
            for (int expert = 0; expert < experts; expert++) {
                for (String module : modules) {
                    parts.add(new Part(names.inExpert(layer, module, expert) + ".weight", new long[] {rows, columns}));
                }
            }
        }
        return new Weight.Dense(source.load(fusedName, shape, parts));
    }

    private Projection projection(int layer, String module, int out, int in, boolean bias) {
        String name = names.inLayer(layer, module);
        return new Projection(new Weight.Dense(plain(name + ".weight", out, in)), bias ? plain(name + ".bias", out) : null);
    }

    private Tensor plain(String name, long... shape) {
        return source.load(name, shape, List.of(new Part(name, shape)));
    }
}
