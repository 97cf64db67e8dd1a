package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.AttentionConfig;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.RopeConfig;
import dev.sluice.model.decoder.DecoderWeights.ConvolutionWeights;
import dev.sluice.model.decoder.DecoderWeights.DenseWeights;
import dev.sluice.model.decoder.DecoderWeights.FeedForwardWeights;
import dev.sluice.model.decoder.DecoderWeights.GroupedWeights;
import dev.sluice.model.decoder.DecoderWeights.LatentWeights;
import dev.sluice.model.decoder.DecoderWeights.MixerWeights;
import dev.sluice.model.decoder.DecoderWeights.Projection;
import dev.sluice.model.decoder.DecoderWeights.SparseWeights;
import dev.sluice.model.lora.LoraSite;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A base model with an adapter bound to it: the one forward path of every family.
public final class Decoder implements AutoCloseable {
    private final Backend backend;
    private final DecoderConfig config;
    private final DecoderWeights weights;
    private final Map<RopeConfig, RopeTable> ropes = new LinkedHashMap<>();
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final Linear head;

    /// @param lora the adapter, or null for the base model alone
    public Decoder(BaseModel model, LoraBinding lora) {
        this(model.backend(), model.config(), model.weights(), lora);
    }

    Decoder(Backend backend, DecoderConfig config, DecoderWeights weights, LoraBinding lora) {
        this.backend = backend;
        this.config = config;
        this.weights = weights;
        for (int layer = 0; layer < config.layers(); layer++) {
            layers.add(layer(layer, lora));
        }
        this.head = LoraBinding.linear(lora, new Projection(weights.head(), null), -1, LoraSite.Kind.HEAD);
    }

    private DecoderLayer layer(int index, LoraBinding lora) {
        var layer = weights.layers().get(index);
        return new DecoderLayer(backend, config.stream(), layer, mixer(index, layer.mixer(), lora),
                feedForward(index, layer.feedForward(), lora));
    }

    private MixerBlock mixer(int layer, MixerWeights mixer, LoraBinding lora) {
        return switch (mixer) {
            case GroupedWeights grouped -> new GroupedAttention(backend, (Grouped) config.mixer(layer),
                    config.stream().normEpsilon(), grouped, lora, layer, rope((Grouped) config.mixer(layer)));
            case LatentWeights latent -> new LatentAttention(backend, (Latent) config.mixer(layer), latent, lora, layer,
                    rope((Latent) config.mixer(layer)));
            case ConvolutionWeights convolution -> new ConvolutionBlock(backend, convolution, lora, layer);
        };
    }

    private RopeTable rope(AttentionConfig attention) {
        return ropes.computeIfAbsent(attention.rope(), of -> new RopeTable(backend, of));
    }

    private FeedForwardBlock feedForward(int layer, FeedForwardWeights feedForward, LoraBinding lora) {
        return switch (feedForward) {
            case DenseWeights dense -> DenseBlock.alone(backend, ((DenseConfig) config.feedForward(layer)).activation(), dense,
                    lora, layer);
            case SparseWeights sparse ->
                    new SparseBlock(backend, (SparseConfig) config.feedForward(layer), sparse, lora, layer);
        };
    }

    public Backend backend() {
        return backend;
    }

    /// The output layer.
    public Linear head() {
        return head;
    }

    /// Copies a row into a step and makes sure that its positions exist.
    public Batch batch(Scope step, TokenRow row) {
        Batch batch = Batch.of(backend, step, row, config.vocabulary());
        requireReach(batch.segments().longest());
        ropes.values().forEach(rope -> rope.require(batch.segments().longest()));
        return batch;
    }

    private void requireReach(int longest) {
        config.layerConfigs().forEach(layer -> {
            if (layer.mixer() instanceof Latent latent && latent.longest() > 0 && longest > latent.longest()) {
                throw new UnsupportedModelException("a document of " + longest + " tokens is longer than the " + latent.longest()
                        + " keys that " + config.modelType() + " attends to; choosing among more is not implemented, lower max_length");
            }
        });
    }

    /// Hidden states after the final norm, [tokens, hidden]. Keeps nothing for a backward pass.
    public Tensor hidden(Batch batch, Scope step) {
        Tensor x = stream(step, batch, "hidden");
        Tensor y = stream(step, batch, "hidden.next");
        embed(batch, x);
        for (DecoderLayer layer : layers) {
            try (Scope scope = step.child("layer")) {
                Tensor offsets = scope.allocate("router.offsets", DType.INT32, layer.feedForward().offsetCount());
                Routing routing = layer.feedForward().routing(scope, batch.tokens(), offsets);
                layer.forward(x, batch, routing, layer.tape(scope, batch.tokens()), y, scope);
            }
            Tensor swap = x;
            x = y;
            y = swap;
        }
        finalNorm(x, y, step.allocate("hidden.rstd", DType.FLOAT32, batch.tokens()));
        return y;
    }

    List<DecoderLayer> layers() {
        return layers;
    }

    Tensor stream(Scope scope, Batch batch, String name) {
        return scope.allocate(name, backend.activationType(), batch.tokens(), config.hidden());
    }

    void embed(Batch batch, Tensor out) {
        backend.elementwise().embed(batch.ids(), weights.embedding(), out);
        if (config.stream().embeddingScale() != 1) {
            backend.elementwise().scale(out, config.stream().embeddingScale());
        }
    }

    void finalNorm(Tensor x, Tensor y, Tensor rstd) {
        backend.norm().rmsNorm(x, weights.finalNorm(), (float) config.stream().normEpsilon(), y, rstd);
    }

    Tensor finalNormWeight() {
        return weights.finalNorm();
    }

    /// Addresses of the rotation tables, which change when they grow.
    List<Long> tables() {
        return ropes.values().stream().map(rope -> rope.cos().address()).toList();
    }

    /// Makes room for what documents of that length need, without filling it: for a dry run.
    void reserve(int longest) {
        ropes.values().forEach(rope -> rope.reserve(longest));
    }

    /// Bytes held besides the base model and the adapter.
    public long bytes() {
        return ropes.values().stream().mapToLong(RopeTable::bytes).sum();
    }

    @Override
    public void close() {
        ropes.values().forEach(RopeTable::close);
    }
}
