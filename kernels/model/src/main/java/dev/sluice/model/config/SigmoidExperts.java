package dev.sluice.model.config;

import dev.sluice.compute.op.RouterOps;
import dev.sluice.model.config.FeedForwardConfig.Correction;
import dev.sluice.model.config.FeedForwardConfig.DenseConfig;
import dev.sluice.model.config.FeedForwardConfig.ExpertsConfig;
import dev.sluice.model.config.FeedForwardConfig.RouterConfig;
import dev.sluice.model.config.FeedForwardConfig.SparseConfig;
import dev.sluice.model.json.JsonFields;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;

/// The sparse layers of DeepSeek-V3 and of GLM, which took them over: sigmoid scores with a correction, chosen within
/// groups, and shared experts. The families differ in their defaults only.
record SigmoidExperts(FamilyFields fields, int defaultExperts, int defaultTopK, int defaultWidth, double defaultScale) {
    private static final float EPSILON = 1e-20f;

    /// The layers of a decoder.
    ///
    /// @param dense which of them have one dense part instead of experts
    /// @param defaultDenseWidth of `intermediate_size`
    IntFunction<LayerConfig> layers(AttentionConfig attention, IntPredicate dense, int defaultDenseWidth) {
        return layer -> new LayerConfig(attention, dense.test(layer)
                ? new DenseConfig(fields.width("intermediate_size", defaultDenseWidth)) : sparse());
    }

    private SparseConfig sparse() {
        JsonFields config = fields.config();
        int experts = fields.experts(config.spelling("n_routed_experts", "num_local_experts"), defaultExperts);
        int groups = fields.experts("n_group", 1);
        int kept = fields.experts("topk_group", 1);
        int topK = fields.topK("num_experts_per_tok", experts, defaultTopK);
        requireGroups(experts, groups, kept, topK);
        int width = fields.width("moe_intermediate_size", defaultWidth);
        int shared = fields.anyExperts("n_shared_experts", 1);
        return new SparseConfig(new RouterConfig(experts, topK, RouterOps.Kind.SIGMOID_TOPK, false, Correction.VECTOR, groups,
                kept, config.flag("norm_topk_prob", true), EPSILON, 0, (float) config.positive("routed_scaling_factor", defaultScale),
                true), ExpertsConfig.swiglu(width), shared == 0 ? null : new DenseConfig(Math.multiplyExact(width, shared)));
    }

    private void requireGroups(int experts, int groups, int kept, int topK) {
        JsonFields config = fields.config();
        if (experts % groups != 0 || experts / groups < 2) {
            throw config.wrong("n_group", "a divisor of the " + experts + " experts that leaves at least 2 in a group",
                    config.get("n_group"));
        }
        if (kept > groups || topK > (long) kept * (experts / groups)) {
            throw config.wrong("topk_group", "at most n_group " + groups + " and enough for the " + topK + " picks",
                    config.get("topk_group"));
        }
    }
}
