package dev.sluice.model.config;

/// What a family's checkpoint calls its tensors. `%d` stands for the layer, in expert names after it for the expert.
///
/// @param embedding [vocabulary, hidden]
/// @param head [vocabulary, hidden], absent with tied embeddings
/// @param layer prefix of a layer's names; the names below are relative to it
/// @param expertGate [width, hidden] of one expert, as released checkpoints keep it
/// @param fusedGateUp [experts, 2 * width, hidden], as transformers 5 may save it
/// @param fusedDown [experts, hidden, width]
public record TensorNames(String embedding, String finalNorm, String head, String layer, String inputNorm,
        String postAttentionNorm, String query, String key, String value, String output, String queryNorm,
        String keyNorm, String gate, String up, String down, String router, String expertGate, String expertUp,
        String expertDown, String fusedGateUp, String fusedDown) {
    /// The names of the Llama lineage: Qwen, GLM, DeepSeek, OLMoE.
    public static final TensorNames LLAMA = new TensorNames("model.embed_tokens", "model.norm", "lm_head",
            "model.layers.%d.", "input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj",
            "self_attn.v_proj", "self_attn.o_proj", "self_attn.q_norm", "self_attn.k_norm", "mlp.gate_proj",
            "mlp.up_proj", "mlp.down_proj", "mlp.gate", "mlp.experts.%d.gate_proj", "mlp.experts.%d.up_proj",
            "mlp.experts.%d.down_proj", "mlp.experts.gate_up_proj", "mlp.experts.down_proj");

    /// Full name of a layer's module.
    public String inLayer(int layerIndex, String module) {
        return layer.formatted(layerIndex) + module;
    }

    /// Full name of one expert's module.
    public String inExpert(int layerIndex, String module, int expert) {
        return layer.formatted(layerIndex) + module.formatted(expert);
    }
}
