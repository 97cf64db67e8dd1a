package dev.sluice.model.decoder;

import dev.sluice.compute.DType;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.FeedForwardConfig;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;
import java.util.stream.LongStream;

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
        return bytes.kept() + (checkpointing ? tapes.max().orElse(0) : tapes.sum()) + bytes.working();
    }

    /// Layer inputs, the gradient, routings, and the numbers per token.
    private long kept() {
        long routings = config.feedForwards().stream().mapToLong(ActivationBytes::picks).sum() * 4 * FLOAT;
        return (config.layers() + 2L) * config.hidden() * element + routings + 6 * FLOAT;
    }

    private long tape(int layer) {
        var attention = config.attention();
        long copies = attention.qkNorm() ? 2 : 1;
        long heads = (copies + 1) * attention.queryWidth() + (copies + 1) * attention.kvWidth();
        long norms = (2 + attention.heads() + (attention.qkNorm() ? attention.heads() + attention.kvHeads() : 0)) * FLOAT;
        return (3L * config.hidden() + heads) * element + norms + feedForward(config.feedForwards().get(layer)) + z(layer);
    }

    private long feedForward(FeedForwardConfig feedForward) {
        return switch (feedForward) {
            case DenseConfig dense -> 3L * dense.width() * element;
            case SparseConfig sparse -> sparse.experts() * FLOAT + sparse.topK() * 2L * sparse.width() * element;
        };
    }

    /// What LoRA keeps between its two matrices.
    private long z(int layer) {
        long picks = picks(config.feedForwards().get(layer));
        return layout.sites().stream().filter(site -> site.layer() == layer)
                .mapToLong((LoraSite site) -> (site.kind().stacked() ? picks : 1) * site.rank() * element).sum();
    }

    /// The larger half of a layer's backward pass.
    private long working() {
        long attention = 2L * config.attention().queryWidth() + 2L * config.attention().kvWidth();
        long feedForward = config.feedForwards().stream().mapToLong(ActivationBytes::width).max().orElse(0);
        return (2L * config.hidden() + Math.max(attention, feedForward)) * element
                + config.feedForwards().stream().mapToLong(ActivationBytes::picks).max().orElse(0) * config.hidden() * element;
    }

    private static long width(FeedForwardConfig feedForward) {
        return feedForward instanceof DenseConfig(int width) ? width : 0;
    }

    private static long picks(FeedForwardConfig feedForward) {
        return feedForward instanceof SparseConfig sparse ? sparse.topK() : 0;
    }
}
