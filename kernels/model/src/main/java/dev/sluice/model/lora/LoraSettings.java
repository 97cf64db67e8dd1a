package dev.sluice.model.lora;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Which matrices get an adapter, and how large. Names and matching rules are PEFT's.
///
/// @param rank `r`
/// @param alpha `lora_alpha`; the update is scaled by alpha / rank, or alpha / sqrt(rank) with `rslora`
/// @param targetModules linear layers by the end of their names (`q_proj`, `self_attn.q_proj`, a full name), or
///     `all-linear` alone for every linear layer but the head
/// @param targetParameters stacked expert matrices by the end of their names: `mlp.experts.gate_up_proj`,
///     `mlp.experts.down_proj`
/// @param rslora `use_rslora`
/// @param rankPattern `rank_pattern`: regular expression over the end of a name to its own rank; the first match counts
/// @param alphaPattern `alpha_pattern`: the same for alpha
public record LoraSettings(int rank, double alpha, List<String> targetModules, List<String> targetParameters,
        boolean rslora, Map<String, Integer> rankPattern, Map<String, Double> alphaPattern) {
    /// Every linear layer except the output head.
    public static final String ALL_LINEAR = "all-linear";

    public LoraSettings {
        targetModules = List.copyOf(targetModules);
        targetParameters = List.copyOf(targetParameters);
        rankPattern = Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
        alphaPattern = Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
        requirePositive("r", rank);
        requirePositive("lora_alpha", alpha);
        rankPattern.forEach((name, value) -> requirePositive("rank_pattern " + name, value));
        alphaPattern.forEach((name, value) -> requirePositive("alpha_pattern " + name, value));
        if (targetModules.isEmpty() && targetParameters.isEmpty()) {
            throw new IllegalArgumentException("lora: target_modules and target_parameters are both empty;"
                    + " name at least one, for example q_proj or mlp.experts.down_proj");
        }
    }

    /// Settings without patterns and with ordinary scaling.
    public static LoraSettings of(int rank, double alpha, List<String> targetModules, List<String> targetParameters) {
        return new LoraSettings(rank, alpha, targetModules, targetParameters, false, Map.of(), Map.of());
    }

    private static void requirePositive(String name, double value) {
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new IllegalArgumentException("lora: " + name + " must be positive, was " + value);
        }
    }
}
