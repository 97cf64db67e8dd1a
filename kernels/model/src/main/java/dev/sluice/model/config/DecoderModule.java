package dev.sluice.model.config;

/// The parts of a decoder that have a name of their own, each with its name in the Llama lineage: Qwen, GLM, DeepSeek,
/// OLMoE. `%d` stands for the expert; names of a layer's parts are relative to the layer.
public enum DecoderModule {
    /// [vocabulary, hidden].
    EMBEDDING("model.embed_tokens"),
    FINAL_NORM("model.norm"),
    /// [vocabulary, hidden], absent with tied embeddings.
    HEAD("lm_head"),
    INPUT_NORM("input_layernorm"),
    /// Norm of the attention's output, where outputs are normalised.
    ATTENTION_OUTPUT_NORM("post_attention_layernorm"),
    /// Norm of the feed-forward layer's input.
    FEED_FORWARD_NORM("post_attention_layernorm"),
    /// Norm of the feed-forward layer's output, where outputs are normalised.
    FEED_FORWARD_OUTPUT_NORM("post_feedforward_layernorm"),
    QUERY("self_attn.q_proj"),
    KEY("self_attn.k_proj"),
    VALUE("self_attn.v_proj"),
    OUTPUT("self_attn.o_proj"),
    QUERY_NORM("self_attn.q_norm"),
    KEY_NORM("self_attn.k_norm"),
    /// [heads]; a parameter, not a module.
    SINKS("self_attn.sinks"),
    QUERY_DOWN("self_attn.q_a_proj"),
    QUERY_LATENT_NORM("self_attn.q_a_layernorm"),
    QUERY_UP("self_attn.q_b_proj"),
    KEY_VALUE_DOWN("self_attn.kv_a_proj_with_mqa"),
    KEY_VALUE_LATENT_NORM("self_attn.kv_a_layernorm"),
    KEY_VALUE_UP("self_attn.kv_b_proj"),
    CONVOLUTION_INPUT("conv.in_proj"),
    /// [hidden, 1, taps].
    CONVOLUTION("conv.conv"),
    CONVOLUTION_OUTPUT("conv.out_proj"),
    GATE("mlp.gate_proj"),
    UP("mlp.up_proj"),
    DOWN("mlp.down_proj"),
    SHARED_GATE("mlp.shared_experts.gate_proj"),
    SHARED_UP("mlp.shared_experts.up_proj"),
    SHARED_DOWN("mlp.shared_experts.down_proj"),
    ROUTER("mlp.gate"),
    /// [experts] or [1, experts]; a parameter, not a module.
    CORRECTION("mlp.gate.e_score_correction_bias"),
    /// [width, hidden] of one expert, as released checkpoints keep it.
    EXPERT_GATE("mlp.experts.%d.gate_proj"),
    EXPERT_UP("mlp.experts.%d.up_proj"),
    EXPERT_DOWN("mlp.experts.%d.down_proj"),
    /// [experts, 2 * width, hidden]: what transformers 5, and so adapters, call the stack.
    FUSED_GATE_UP("mlp.experts.gate_up_proj"),
    FUSED_DOWN("mlp.experts.down_proj"),
    /// What checkpoints that keep whole stacks call them; parameters, not modules.
    STORED_GATE_UP("mlp.experts.gate_up_proj"),
    STORED_DOWN("mlp.experts.down_proj");

    private final String name;

    DecoderModule(String name) {
        this.name = name;
    }

    String llamaName() {
        return name;
    }
}
