package dev.sluice.bench.floor;

import java.util.List;

/// The sizes of a decoder that its cost depends on.
///
/// @param experts of a layer, 0 of a dense model
/// @param topK experts of a token
/// @param width inner width of an expert
/// @param heads query heads
/// @param keyWidth width of a query and key head
/// @param valueWidth width of a value head
/// @param inputs projections before attention
/// @param latent keys and values come from a compressed row (multi-head latent attention), every projection with an adapter of its own
/// @param denseLayers layers with one dense gated layer of `denseWidth` instead of experts
/// @param sharedWidth width of the experts that every token visits, 0 without
/// @param windowedLayers layers that attend to the last `window` tokens only
public record ModelShape(int vocabulary, int hidden, int layers, int experts, int topK, int width, int heads, int kvHeads,
        int keyWidth, int valueWidth, List<Projection> inputs, boolean latent, int denseLayers, int denseWidth, int sharedWidth,
        int windowedLayers, int window) {
    public ModelShape {
        inputs = List.copyOf(inputs);
    }

    public int queryRow() {
        return heads * keyWidth;
    }

    public int keyRow() {
        return kvHeads * keyWidth;
    }

    public int valueRow() {
        return kvHeads * valueWidth;
    }

    public int outputRow() {
        return heads * valueWidth;
    }

    public int sparseLayers() {
        return layers - denseLayers;
    }

    /// The projection behind attention.
    public Projection output() {
        return new Projection("o", outputRow(), hidden, 1);
    }

    /// Trainable numbers of adapters.
    public long loraParameters(Targets targets, int rank) {
        long attention = (long) outputRow() + hidden;
        if (latent) {
            attention += inputs.stream().mapToLong(one -> one.in() + one.out()).sum();
        } else {
            attention += 3L * hidden + queryRow() + keyRow() + valueRow();
        }
        long expert = switch (targets) {
            case ALL -> 2L * hidden + 3L * width;
            case ATTENTION -> 0;
        };
        return rank * (layers * attention + sparseLayers() * experts * expert);
    }

    /// Query-key pairs that causal attention looks at: every query at itself and what is before it in its document.
    ///
    /// @param window how many keys a query sees at most, 0 for all
    static double pairs(double tokens, double documents, int window) {
        double length = tokens / documents;
        double full = window == 0 ? length : Math.min(length, window);
        return documents * (full * (full + 1) / 2 + (length - full) * full);
    }
}
