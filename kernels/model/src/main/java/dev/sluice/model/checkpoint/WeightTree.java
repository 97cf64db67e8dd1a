package dev.sluice.model.checkpoint;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.checkpoint.WeightSource.Arrangement;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.checkpoint.WeightSource.Wanted;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.DecoderModule;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.FeedForwardConfig.StackOrder;
import dev.sluice.model.config.MixerConfig.ShortConvolution;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.decoder.DecoderWeights;
import dev.sluice.model.decoder.DecoderWeights.ConvolutionWeights;
import dev.sluice.model.decoder.DecoderWeights.DenseWeights;
import dev.sluice.model.decoder.DecoderWeights.ExpertWeights;
import dev.sluice.model.decoder.DecoderWeights.FeedForwardWeights;
import dev.sluice.model.decoder.DecoderWeights.GroupedWeights;
import dev.sluice.model.decoder.DecoderWeights.LatentWeights;
import dev.sluice.model.decoder.DecoderWeights.LayerWeights;
import dev.sluice.model.decoder.DecoderWeights.MixerWeights;
import dev.sluice.model.decoder.DecoderWeights.Projection;
import dev.sluice.model.decoder.DecoderWeights.RouterWeights;
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
        // The head is linear: a factor of its input is one of the logits, an adapter's part included.
        Tensor finalNorm = norm(names.of(DecoderModule.FINAL_NORM), config.hidden(), config.stream().logitScale());
        Weight head = config.tiedEmbeddings() ? new Weight.Dense(embedding)
                : source.head(wanted(names.head() + ".weight", config.vocabulary(), config.hidden()));
        var layers = new ArrayList<LayerWeights>(config.layers());
        for (int layer = 0; layer < config.layers(); layer++) {
            layers.add(layer(layer));
        }
        return new DecoderWeights(embedding, finalNorm, head, List.copyOf(layers));
    }

    private LayerWeights layer(int layer) {
        return new LayerWeights(layerNorm(layer, DecoderModule.INPUT_NORM), mixer(layer),
                outputNorm(layer, DecoderModule.ATTENTION_OUTPUT_NORM), layerNorm(layer, DecoderModule.FEED_FORWARD_NORM),
                feedForward(layer), outputNorm(layer, DecoderModule.FEED_FORWARD_OUTPUT_NORM));
    }

    private Tensor layerNorm(int layer, DecoderModule module) {
        return norm(names.inLayer(layer, module), config.hidden());
    }

    private Tensor outputNorm(int layer, DecoderModule module) {
        return config.stream().outputNorms() ? layerNorm(layer, module) : null;
    }

    private MixerWeights mixer(int layer) {
        return switch (config.mixer(layer)) {
            case Grouped grouped -> grouped(layer, grouped);
            case Latent latent -> latent(layer, latent);
            case ShortConvolution convolution -> convolution(layer, convolution);
        };
    }

    private GroupedWeights grouped(int layer, Grouped attention) {
        int hidden = config.hidden();
        boolean bias = attention.bias();
        return new GroupedWeights(projection(layer, DecoderModule.QUERY, attention.queryWidth(), hidden, bias),
                projection(layer, DecoderModule.KEY, attention.kvWidth(), hidden, bias),
                projection(layer, DecoderModule.VALUE, attention.kvWidth(), hidden, bias),
                projection(layer, DecoderModule.OUTPUT, hidden, attention.queryWidth(), attention.outputBias()),
                headNorm(layer, DecoderModule.QUERY_NORM, attention, attention.heads()),
                headNorm(layer, DecoderModule.KEY_NORM, attention, attention.kvHeads()),
                attention.sinks() ? plain(names.inLayer(layer, DecoderModule.SINKS), attention.heads()) : null);
    }

    private Tensor headNorm(int layer, DecoderModule module, Grouped attention, int heads) {
        String name = names.inLayer(layer, module);
        return switch (attention.qkNorm()) {
            case NONE -> null;
            case HEADS -> norm(name, attention.headDim());
            case WHOLE -> norm(name, heads * attention.headDim());
        };
    }

    private LatentWeights latent(int layer, Latent attention) {
        int hidden = config.hidden();
        int heads = attention.heads();
        int rank = attention.queryRank();
        boolean narrow = rank > 0;
        boolean bias = attention.bias();
        return new LatentWeights(narrow ? projection(layer, DecoderModule.QUERY_DOWN, rank, hidden, bias) : null,
                narrow ? norm(names.inLayer(layer, DecoderModule.QUERY_LATENT_NORM), rank) : null,
                projection(layer, narrow ? DecoderModule.QUERY_UP : DecoderModule.QUERY, heads * attention.headDim(),
                        narrow ? rank : hidden, false),
                projection(layer, DecoderModule.KEY_VALUE_DOWN, attention.kvRank() + attention.rope().rotated(), hidden, bias),
                norm(names.inLayer(layer, DecoderModule.KEY_VALUE_LATENT_NORM), attention.kvRank()),
                projection(layer, DecoderModule.KEY_VALUE_UP, heads * (attention.plainDim() + attention.valueDim()),
                        attention.kvRank(), false),
                projection(layer, DecoderModule.OUTPUT, hidden, heads * attention.valueDim(), bias));
    }

    private ConvolutionWeights convolution(int layer, ShortConvolution convolution) {
        int hidden = config.hidden();
        String name = names.inLayer(layer, DecoderModule.CONVOLUTION);
        long[] taps = {hidden, convolution.taps()};
        return new ConvolutionWeights(projection(layer, DecoderModule.CONVOLUTION_INPUT, 3 * hidden, hidden, convolution.bias()),
                source.load(new Wanted(name + ".weight", taps, List.of(new Part(name + ".weight", hidden, 1, convolution.taps())))),
                convolution.bias() ? plain(name + ".bias", hidden) : null,
                projection(layer, DecoderModule.CONVOLUTION_OUTPUT, hidden, hidden, convolution.bias()));
    }

    private FeedForwardWeights feedForward(int layer) {
        return switch (config.feedForward(layer)) {
            case DenseConfig dense -> gated(layer, dense, DecoderModule.GATE, DecoderModule.UP, DecoderModule.DOWN);
            case SparseConfig sparse -> new SparseWeights(router(layer, sparse.router()), experts(layer, sparse),
                    sparse.shared() == null ? null : gated(layer, sparse.shared(), DecoderModule.SHARED_GATE,
                            DecoderModule.SHARED_UP, DecoderModule.SHARED_DOWN));
        };
    }

    private DenseWeights gated(int layer, DenseConfig dense, DecoderModule gate, DecoderModule up, DecoderModule down) {
        return new DenseWeights(projection(layer, gate, dense.width(), config.hidden(), false),
                projection(layer, up, dense.width(), config.hidden(), false),
                projection(layer, down, config.hidden(), dense.width(), false));
    }

    private RouterWeights router(int layer, RouterConfig router) {
        String name = names.inLayer(layer, DecoderModule.ROUTER);
        long[] shape = {router.experts(), config.hidden()};
        return new RouterWeights(source.load(new Wanted(name + ".weight", shape, List.of(new Part(name + ".weight", shape)),
                router.exact(), 0, 1)),
                router.bias() ? plain(name + ".bias", router.experts()) : null,
                correction(names.inLayer(layer, DecoderModule.CORRECTION), router));
    }

    private Tensor correction(String name, RouterConfig router) {
        long[] shape = {router.experts()};
        return switch (router.correction()) {
            case NONE -> null;
            case VECTOR -> source.load(new Wanted(name, shape, List.of(new Part(name, shape)), true, 0, 1));
            case ROW -> source.load(new Wanted(name, shape, List.of(new Part(name, 1, router.experts())), true, 0, 1));
        };
    }

    private ExpertWeights experts(int layer, SparseConfig sparse) {
        int hidden = config.hidden();
        var stack = sparse.stack();
        boolean alternating = stack.order() == StackOrder.INTERLEAVED_TRANSPOSED;
        String gateUp = names.inLayer(layer, DecoderModule.STORED_GATE_UP);
        String down = names.inLayer(layer, DecoderModule.STORED_DOWN);
        long[] gateUpShape = {sparse.experts(), 2L * stack.width(), hidden};
        long[] downShape = {sparse.experts(), hidden, stack.width()};
        return new ExpertWeights(
                stack(layer, gateUp, arrangement(stack.order(), Arrangement.TRANSPOSED_ALTERNATING, gateUp, gateUpShape),
                        List.of(names.expertGate(), names.expertUp()), gateUpShape),
                stack(layer, down, arrangement(stack.order(), Arrangement.TRANSPOSED, down, downShape),
                        List.of(names.expertDown()), downShape),
                stack.bias() ? bias(gateUp + "_bias", alternating ? Arrangement.ALTERNATING_COLUMNS : Arrangement.PLAIN,
                        sparse.experts(), 2L * stack.width()) : null,
                stack.bias() ? plain(down + "_bias", sparse.experts(), hidden) : null);
    }

    /// @param interleaved how a stack of that order lies where gate and up alternate
    private Arrangement arrangement(StackOrder order, Arrangement interleaved, String name, long[] shape) {
        return switch (order) {
            case GATE_THEN_UP -> Arrangement.PLAIN;
            case MAYBE_TRANSPOSED -> source.has(name, shape) ? Arrangement.PLAIN : Arrangement.TRANSPOSED;
            case INTERLEAVED_TRANSPOSED -> interleaved;
        };
    }

    private Tensor bias(String name, Arrangement arrangement, long... shape) {
        return source.load(new Wanted(name, shape, List.of(new Part(name, shape, arrangement))));
    }

    /// A stack of experts from one fused tensor, or from the experts' own: each one's modules behind one another.
    private Weight stack(int layer, String fused, Arrangement arrangement, List<String> modules, long[] shape) {
        var parts = new ArrayList<Part>();
        boolean ownNames = names.of(DecoderModule.STORED_GATE_UP).equals(names.of(DecoderModule.FUSED_GATE_UP));
        boolean usuallyFused = arrangement != Arrangement.PLAIN || !ownNames;
        if (source.has(fused) || usuallyFused && !source.has(names.inExpert(layer, modules.getFirst(), 0) + ".weight")) {
            parts.add(new Part(fused, shape, arrangement));
        } else {
            for (int expert = 0; expert < shape[0]; expert++) {
                for (String module : modules) {
                    parts.add(new Part(names.inExpert(layer, module, expert) + ".weight", shape[1] / modules.size(), shape[2]));
                }
            }
        }
        return source.weight(new Wanted(fused, shape, parts));
    }

    private Projection projection(int layer, DecoderModule module, int out, int in, boolean bias) {
        String name = names.inLayer(layer, module);
        return new Projection(weight(name + ".weight", out, in), bias ? plain(name + ".bias", out) : null);
    }

    private Weight weight(String name, long... shape) {
        return source.weight(wanted(name, shape));
    }

    private static Wanted wanted(String name, long... shape) {
        return new Wanted(name, shape, List.of(new Part(name, shape)));
    }

    private Tensor norm(String module, int width) {
        return norm(module, width, 1);
    }

    private Tensor norm(String module, int width, float factor) {
        String name = module + ".weight";
        float offset = config.stream().unitOffset() ? 1 : 0;
        long[] shape = {width};
        return source.load(new Wanted(name, shape, List.of(new Part(name, shape)), offset != 0 || factor != 1, offset, factor));
    }

    private Tensor plain(String name, long... shape) {
        return source.load(wanted(name, shape));
    }
}
