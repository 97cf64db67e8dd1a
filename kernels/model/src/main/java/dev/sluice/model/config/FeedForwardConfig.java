package dev.sluice.model.config;

import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.RouterOps;

/// The second half of a layer.
public sealed interface FeedForwardConfig {
    /// One gated layer.
    ///
    /// @param width inner width
    record DenseConfig(int width, GatedActivation activation) implements FeedForwardConfig {
        /// A SwiGLU layer.
        public DenseConfig(int width) {
            this(width, GatedActivation.SWIGLU);
        }
    }

    /// A router and a stack of gated experts.
    ///
    /// @param shared what every token passes through beside its experts, or null
    record SparseConfig(RouterConfig router, ExpertsConfig stack, DenseConfig shared) implements FeedForwardConfig {
        public int experts() {
            return router.experts();
        }

        public int topK() {
            return router.topK();
        }

        /// Inner width of one expert.
        public int width() {
            return stack.width();
        }
    }

    /// How a token's experts are chosen and weighted; see [RouterOps.Router].
    ///
    /// @param bias the logits have a bias
    /// @param correction whether the scores have a correction that counts for the choice only
    /// @param normalize divide the weights of the picks by their sum plus epsilon, or by `floor` if that is more
    /// @param exact logits are computed in float32 even by a model in bf16
    record RouterConfig(int experts, int topK, RouterOps.Kind kind, boolean bias, Correction correction, int groups,
            int keptGroups, boolean normalize, float epsilon, float floor, float scale, boolean exact) {
        /// Softmax and the largest.
        static RouterConfig softmax(int experts, int topK, boolean normalize) {
            return new RouterConfig(experts, topK, RouterOps.Kind.SOFTMAX_TOPK, false, Correction.NONE, 1, 1, normalize, 0, 0, 1, false);
        }
    }

    /// A correction of the scores as checkpoints keep it: [experts], or [1, experts].
    enum Correction {
        NONE,
        VECTOR,
        ROW
    }

    /// A stack of gated experts.
    ///
    /// @param width inner width of one expert
    /// @param bias both stacks have biases
    /// @param order how a stored stack lies
    record ExpertsConfig(int width, boolean bias, GatedActivation activation, StackOrder order) {
        /// SwiGLU experts without biases.
        static ExpertsConfig swiglu(int width) {
            return new ExpertsConfig(width, false, GatedActivation.SWIGLU, StackOrder.GATE_THEN_UP);
        }
    }

    /// How checkpoints and adapters keep a stack's outputs.
    enum StackOrder {
        /// [experts, out, in], gate's rows before up's.
        GATE_THEN_UP,
        /// The same, but released stacks are transposed: [experts, in, out] (Qwen3-VL); those saved by transformers 5 are not.
        /// The shape tells which; as in transformers, a square stack is not transposed.
        MAYBE_TRANSPOSED,
        /// Rows of gate and up alternate, and plain (not packed) stacks are transposed: [experts, in, out] (gpt-oss).
        INTERLEAVED_TRANSPOSED
    }
}
