package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.sluice.contracts.wire.FieldChecks;
import java.net.URI;
import java.util.List;
import java.util.Map;

/// The adapter to train, in PEFT's names.
///
/// @param rank `r`: 1 or more, default 16
/// @param alpha `lora_alpha`, default `2 r`; the product B A is scaled by `alpha / r`, with rsLoRA by `alpha / sqrt(r)`
/// @param rslora `use_rslora`
/// @param targetModules names of linear layers, default `q_proj k_proj v_proj o_proj`
/// @param targetParameters names of expert parameters, default `mlp.experts.gate_up_proj mlp.experts.down_proj`
/// @param rankPattern rank for modules whose name ends with the key or matches it
/// @param alphaPattern likewise for alpha
/// @param dropout `lora_dropout`: must be 0, as PEFT demands for expert parameters
/// @param initAdapter address of a PEFT adapter folder to start from; absent: PEFT's own initialisation
public record Lora(@JsonProperty("r") Integer rank, @JsonProperty("lora_alpha") Double alpha, @JsonProperty("use_rslora") Boolean rslora,
        List<String> targetModules, List<String> targetParameters, Map<String, Integer> rankPattern, Map<String, Double> alphaPattern,
        @JsonProperty("lora_dropout") Double dropout, URI initAdapter) {

    public static final int DEFAULT_RANK = 16;
    private static final List<String> ATTENTION = List.of("q_proj", "k_proj", "v_proj", "o_proj");
    private static final List<String> EXPERTS = List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj");

    public Lora {
        rank = rank == null ? DEFAULT_RANK : rank;
        alpha = alpha == null ? 2.0 * rank : alpha;
        rslora = rslora != null && rslora;
        targetModules = targetModules == null ? ATTENTION : List.copyOf(targetModules);
        targetParameters = targetParameters == null ? EXPERTS : List.copyOf(targetParameters);
        rankPattern = rankPattern == null ? Map.of() : Map.copyOf(rankPattern);
        alphaPattern = alphaPattern == null ? Map.of() : Map.copyOf(alphaPattern);
        dropout = dropout == null ? 0.0 : dropout;
        new FieldChecks().atLeast(rank, 1, "r")
                .require(alpha > 0 && Double.isFinite(alpha), "lora_alpha", "above 0", alpha)
                .require(dropout == 0, "lora_dropout", "0 (expert parameters cannot have dropout)", dropout)
                .refuse(targetModules.isEmpty() && targetParameters.isEmpty(), "target_modules", "and target_parameters are both empty: nothing to adapt")
                .require(rankPattern.values().stream().allMatch(r -> r >= 1), "rank_pattern", "ranks of at least 1", rankPattern)
                .require(alphaPattern.values().stream().allMatch(a -> a > 0), "alpha_pattern", "alphas above 0", alphaPattern)
                .verify();
    }

    public static Lora defaults() {
        return new Lora(null, null, null, null, null, null, null, null, null);
    }
}
