package dev.sluice.compute.op;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Choosing experts. Ties go to the lower expert index.
public interface RouterOps {
    /// How logits become scores.
    enum Kind {
        /// Softmax over all experts (Qwen, Mixtral, OLMoE, ERNIE). With `normalize` it is also the softmax over the picks
        /// alone (gpt-oss, Granite), since what the other experts add to the denominator cancels.
        SOFTMAX_TOPK,
        /// Sigmoid of each logit (GLM, DeepSeek, LFM2).
        SIGMOID_TOPK
    }

    /// Which experts may be chosen, and by what. The weights never see the correction: they are the raw scores.
    /// Source: DeepSeek-AI 2024, DeepSeek-V3, sections 2.1.2 and 2.1.3.
    ///
    /// @param correction FLOAT32 [experts] added to the scores before choosing, or null
    /// @param groups equal groups of neighbouring experts, 1 for no groups
    /// @param keptGroups groups whose experts may be chosen: those with the largest sums of their two best scores
    record Choice(Tensor correction, int groups, int keptGroups) {
        /// The largest scores win.
        public static final Choice PLAIN = new Choice(null, 1, 1);

        public Choice {
            if (groups < 1 || keptGroups < 1 || keptGroups > groups) {
                throw new IllegalArgumentException("router: kept groups must lie in 1.." + groups + ", was " + keptGroups);
            }
        }
    }

    /// @param weight [experts, hidden], frozen. Families differ in the precision of their logits, and its type says which: where
    ///     activations are bf16, the logits of a bf16 weight are rounded to bf16, those of a FLOAT32 weight are float32
    /// @param bias [experts] added to the logits, or null
    /// @param normalize divide the picked scores by their sum (`norm_topk_prob`)
    /// @param epsilon added to that sum
    /// @param floor the least that they are divided by
    /// @param scale what the weights are multiplied by in the end (`routed_scaling_factor`)
    record Router(Tensor weight, Tensor bias, Kind kind, Choice choice, int topK, boolean normalize, float epsilon, float floor,
            float scale) {
        public Router {
            if (topK < 1 || topK > weight.dim(0)) {
                throw new IllegalArgumentException("router: top_k must lie in 1.." + weight.dim(0) + ", was " + topK);
            }
            long inGroup = weight.dim(0) / choice.groups();
            if (weight.dim(0) % choice.groups() != 0 || choice.groups() > 1 && inGroup < 2 || topK > choice.keptGroups() * inGroup) {
                throw new IllegalArgumentException("router: " + choice.groups() + " groups, of which " + choice.keptGroups()
                        + " are kept, do not suit " + weight.dim(0) + " experts and top_k " + topK);
            }
        }

        /// A router without bias, correction, groups and scale.
        public Router(Tensor weight, Kind kind, int topK, boolean normalize) {
            this(weight, null, kind, Choice.PLAIN, topK, normalize, 0, 0, 1);
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
