package dev.sluice.model.config;

import java.util.HashMap;
import java.util.Map;

/// What a family's checkpoint calls its tensors.
///
/// @param renamed the parts whose names are not those of the Llama lineage
/// @param layers what the names in a layer begin with; `%d` stands for the layer
public record TensorNames(Map<DecoderModule, String> renamed, String layers) {
    /// The names of the Llama lineage.
    public static final TensorNames LLAMA = new TensorNames(Map.of(), "model.layers.%d.");

    public TensorNames {
        renamed = Map.copyOf(renamed);
    }

    /// These names, with one other.
    public TensorNames with(DecoderModule module, String name) {
        var more = new HashMap<>(renamed);
        more.put(module, name);
        return new TensorNames(more, layers);
    }

    /// These names, with layers elsewhere.
    TensorNames withLayers(String prefix) {
        return new TensorNames(renamed, prefix);
    }

    /// These names, with stacks of experts in another module.
    TensorNames withExperts(String prefix) {
        return with(DecoderModule.FUSED_GATE_UP, prefix + "gate_up_proj").with(DecoderModule.FUSED_DOWN, prefix + "down_proj")
                .with(DecoderModule.STORED_GATE_UP, prefix + "gate_up_proj").with(DecoderModule.STORED_DOWN, prefix + "down_proj");
    }

    /// Name of a part; relative to the layer where it belongs to one.
    public String of(DecoderModule module) {
        return renamed.getOrDefault(module, module.llamaName());
    }

    public String embedding() {
        return of(DecoderModule.EMBEDDING);
    }

    public String head() {
        return of(DecoderModule.HEAD);
    }

    public String expertGate() {
        return of(DecoderModule.EXPERT_GATE);
    }

    public String expertUp() {
        return of(DecoderModule.EXPERT_UP);
    }

    public String expertDown() {
        return of(DecoderModule.EXPERT_DOWN);
    }

    /// Full name of a layer's part.
    public String inLayer(int layer, DecoderModule module) {
        return inLayer(layer, of(module));
    }

    /// Full name of a layer's module.
    public String inLayer(int layer, String module) {
        return layers.formatted(layer) + module;
    }

    /// Full name of one expert's module.
    public String inExpert(int layer, String module, int expert) {
        return layers.formatted(layer) + module.formatted(expert);
    }
}
