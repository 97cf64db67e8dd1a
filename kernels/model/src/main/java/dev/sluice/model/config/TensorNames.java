package dev.sluice.model.config;

import java.util.HashMap;
import java.util.Map;

/// What a family's checkpoint calls its tensors.
///
/// @param renamed the parts whose names are not those of the Llama lineage
public record TensorNames(Map<DecoderModule, String> renamed) {
    /// The names of the Llama lineage.
    public static final TensorNames LLAMA = new TensorNames(Map.of());
    private static final String LAYER = "model.layers.%d.";

    public TensorNames {
        renamed = Map.copyOf(renamed);
    }

    /// These names, with one other.
    public TensorNames with(DecoderModule module, String name) {
        var more = new HashMap<>(renamed);
        more.put(module, name);
        return new TensorNames(more);
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
        return LAYER.formatted(layer) + module;
    }

    /// Full name of one expert's module.
    public String inExpert(int layer, String module, int expert) {
        return LAYER.formatted(layer) + module.formatted(expert);
    }
}
