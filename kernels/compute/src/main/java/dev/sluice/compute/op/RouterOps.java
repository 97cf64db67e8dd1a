package dev.sluice.compute.op;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Choosing experts. Ties go to the lower expert index.
public interface RouterOps {
    /// How logits become picks and weights.
    enum Kind {
        /// Softmax over all experts, the topK largest (Qwen, Mixtral, OLMoE).
        SOFTMAX_TOPK
    }

    /// @param weight [experts, hidden], frozen
    /// @param normalize divide the picked weights by their sum (`norm_topk_prob`)
    record Router(Tensor weight, Kind kind, int topK, boolean normalize) {
        public Router {
            if (topK < 1 || topK > weight.dim(0)) {
                throw new IllegalArgumentException("router: top_k must lie in 1.." + weight.dim(0) + ", was " + topK);
            }
        }

        public int experts() {
            return Math.toIntExact(weight.dim(0));
        }
    }

    /// Logits, picks, weights and the sorted row tables, all on the device.
    ///
    /// @param x [tokens, hidden]
    /// @param logits FLOAT32 [tokens, experts], written
    void route(Tensor x, Router router, Tensor logits, Routing routing, Scope scratch);

    /// Recomputes the logits for a backward pass without choosing again.
    void logits(Tensor x, Router router, Tensor logits, Scope scratch);

    /// Gradient of x through the weights of the picks; the router itself is frozen.
    ///
    /// @param dWeights FLOAT32 [tokens, topK]
    /// @param dx [tokens, hidden]
    void backward(Tensor dWeights, Tensor logits, Routing routing, Router router, Tensor dx, Accumulate mode,
            Scope scratch);
}
