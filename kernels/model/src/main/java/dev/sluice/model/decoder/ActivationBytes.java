package dev.sluice.model.decoder;

import dev.sluice.compute.DType;
import dev.sluice.model.config.AttentionConfig;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.FeedForwardConfig;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.config.LayerConfig;
import dev.sluice.model.config.MixerConfig;
import dev.sluice.model.config.MixerConfig.ShortConvolution;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/// Bytes that one token takes in a training pass, counted from the shapes of the tapes. Scratch of the backend's own
/// operations comes in through the largest that any of them is known to need: the routed rows of a sparse layer.
final class ActivationBytes {
    private static final long FLOAT = Float.BYTES;

    private final DecoderConfig config;
    private final AdapterLayout layout;
    private final long element;

    private ActivationBytes(DecoderConfig config, AdapterLayout layout, DType type) {
        this.config = config;
        this.layout = layout;
        this.element = type.bytes();
    }

    static long perToken(DecoderConfig config, AdapterLayout layout, DType type, boolean checkpointing) {
        var bytes = new ActivationBytes(config, layout, type);
        LongStream tapes = LongStream.range(0, config.layers()).map(layer -> bytes.tape((int) layer));
        long zs = LongStream.range(0, config.layers()).map(layer -> bytes.z((int) layer)).sum();
        return bytes.kept() + zs + (checkpointing ? tapes.max().orElse(0) : tapes.sum()) + bytes.working();
    }

    /// Layer inputs, the gradient, routings, and the numbers per token.
    private long kept() {
        long routings = feedForwards().mapToLong(ActivationBytes::picks).sum() * 4 * FLOAT;
        return (config.layers() + 2L) * config.hidden() * element + routings + 6 * FLOAT;
    }

    private Stream<FeedForwardConfig> feedForwards() {
        return config.layerConfigs().stream().map(LayerConfig::feedForward);
    }

    private long tape(int layer) {
        long outputs = config.stream().outputNorms() ? 2 : 0;
        return (3 + outputs) * config.hidden() * element + (2 + outputs) * FLOAT + mixer(config.mixer(layer))
                + feedForward(config.feedForward(layer)) + z(layer);
    }

    /// Queries, keys and values as projected, what attention reads of them where that is another tensor, and its result.
    private long mixer(MixerConfig mixer) {
        return switch (mixer) {
            case Grouped grouped -> inner(grouped) + (grouped.clip() > 0 ? grouped.kvWidth() * element : 0)
                    + (grouped.qkNorm() == QkNorm.NONE ? 0 : (grouped.queryWidth() + grouped.kvWidth()) * element
                    + (grouped.heads() + grouped.kvHeads()) * FLOAT);
            case Latent latent -> inner(latent) + 2L * (latent.queryRank() + latent.kvRank()) * element + 2 * FLOAT;
            case ShortConvolution _ -> 5L * config.hidden() * element;
        };
    }

    private long inner(AttentionConfig attention) {
        return (heads(attention) + (long) attention.heads() * attention.valueDim()) * element + attention.heads() * FLOAT;
    }

    /// Numbers in a token's queries, keys and values.
    private static long heads(AttentionConfig attention) {
        return (long) attention.heads() * attention.headDim()
                + (long) attention.kvHeads() * (attention.headDim() + attention.valueDim());
    }

    private long feedForward(FeedForwardConfig feedForward) {
        return switch (feedForward) {
            case DenseConfig dense -> 3L * dense.width() * element;
            case SparseConfig sparse -> sparse.experts() * FLOAT + sparse.topK() * 2L * sparse.width() * element
                    + (sparse.shared() == null ? 0 : feedForward(sparse.shared()));
        };
    }

    /// What LoRA keeps between its two matrices.
    private long z(int layer) {
        long picks = picks(config.feedForward(layer));
        return layout.sites().stream().filter(site -> site.layer() == layer)
                .mapToLong((LoraSite site) -> (site.kind().stacked() ? picks : 1) * site.rank() * element).sum();
    }

    /// The larger half of a layer's backward pass.
    private long working() {
        long mixer = config.layerConfigs().stream().mapToLong(layer -> working(layer.mixer())).max().orElse(0);
        long feedForward = feedForwards().mapToLong(ActivationBytes::width).max().orElse(0);
        long outputs = config.stream().outputNorms() || config.stream().residualScale() != 1 ? 1 : 0;
        return ((2L + outputs) * config.hidden() + Math.max(mixer, feedForward)) * element
                + feedForwards().mapToLong(ActivationBytes::picks).max().orElse(0) * config.hidden() * element;
    }

    /// Gradients of queries, keys, values and result; latent attention has them also before they are cut into heads.
    private long working(MixerConfig mixer) {
        return switch (mixer) {
            case Grouped grouped -> gradients(grouped) + (grouped.clip() > 0 ? grouped.queryWidth() : 0);
            case Latent latent -> gradients(latent) + (long) latent.heads() * (latent.headDim() + latent.valueDim())
                    + latent.queryRank() + 2L * latent.kvRank() + 2L * latent.rope().rotated();
            case ShortConvolution _ -> 5L * config.hidden();
        };
    }

    private static long gradients(AttentionConfig attention) {
        return heads(attention) + (long) attention.heads() * attention.valueDim();
    }

    private static long width(FeedForwardConfig feedForward) {
        return switch (feedForward) {
            case DenseConfig dense -> dense.width();
            case SparseConfig sparse -> sparse.shared() == null ? 0 : sparse.shared().width();
        };
    }

    private static long picks(FeedForwardConfig feedForward) {
        return feedForward instanceof SparseConfig sparse ? sparse.topK() : 0;
    }
}
