package dev.sluice.model.peft;

import java.util.Arrays;
import java.util.stream.Collectors;

/// How an adapter's expert matrices are laid out in its file; everything else is the same.
public enum AdapterFormat {
    /// PEFT's `target_parameters`: one A and one B over all experts of a layer. What peft loads in every family.
    PEFT_3D("peft-3d"),
    /// One A and one B per expert and projection, as PEFT wrote for unfused experts. What vLLM and SGLang load, and
    /// peft where [PeftLoading] says so.
    PER_EXPERT("per-expert");

    private final String label;

    AdapterFormat(String label) {
        this.label = label;
    }

    /// The word that configuration uses.
    public String label() {
        return label;
    }

    /// @throws IllegalArgumentException listing the known words
    public static AdapterFormat parse(String label) {
        return Arrays.stream(values()).filter(format -> format.label.equals(label)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("adapter format must be one of "
                        + Arrays.stream(values()).map(AdapterFormat::label).collect(Collectors.joining(", "))
                        + ", was " + label));
    }
}
