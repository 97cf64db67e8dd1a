package dev.sluice.model.lora;

/// One matrix, or one stack of expert matrices, that an adapter updates.
///
/// @param name full module name as PEFT sees it: `model.layers.0.self_attn.q_proj`, `model.layers.0.mlp.experts.down_proj`
/// @param kind which part of the decoder it is
/// @param layer index of the layer, -1 for the head
/// @param experts matrices in the stack, 1 for a linear layer
/// @param in input width of one matrix
/// @param out output width of one matrix
/// @param alternating files keep the rows of gate and up alternating; among the adapter's numbers gate comes first
/// @param alpha `lora_alpha` of this matrix
/// @param scale factor of the update: alpha / rank or alpha / sqrt(rank)
/// @param offsetA where A, [experts, rank, in], begins among the adapter's numbers
/// @param offsetB where B, [experts, out, rank], begins
public record LoraSite(String name, Kind kind, int layer, int experts, int in, int out, boolean alternating, int rank,
        double alpha, double scale, long offsetA, long offsetB) {
    /// The part of the decoder that a site updates.
    public enum Kind {
        QUERY,
        KEY,
        VALUE,
        OUTPUT,
        QUERY_DOWN,
        QUERY_UP,
        KEY_VALUE_DOWN,
        KEY_VALUE_UP,
        CONVOLUTION_INPUT,
        CONVOLUTION_OUTPUT,
        GATE,
        UP,
        DOWN,
        SHARED_GATE,
        SHARED_UP,
        SHARED_DOWN,
        EXPERTS_GATE_UP,
        EXPERTS_DOWN,
        HEAD;

        /// A stack of expert matrices, which PEFT targets as a parameter; everything else is a module.
        public boolean stacked() {
            return this == EXPERTS_GATE_UP || this == EXPERTS_DOWN;
        }

        /// A projection of a gated layer that is no routed expert; it may have the name that single experts' have.
        public boolean gatedLinear() {
            return this == GATE || this == UP || this == DOWN || this == SHARED_GATE || this == SHARED_UP || this == SHARED_DOWN;
        }
    }

    public long elementsA() {
        return (long) experts * rank * in;
    }

    public long elementsB() {
        return (long) experts * out * rank;
    }
}
