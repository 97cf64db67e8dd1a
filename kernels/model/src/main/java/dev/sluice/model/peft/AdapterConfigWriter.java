package dev.sluice.model.peft;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.AdaptableModule;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.lora.LoraSite;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import java.util.TreeMap;

/// Builds `adapter_config.json` with the fields and defaults of peft 0.21.
final class AdapterConfigWriter {
    private static final ObjectMapper JSON = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
    private static final List<String> NULLS = List.of("alora_invocation_tokens", "arrow_config", "auto_mapping",
            "corda_config", "eva_config", "exclude_modules", "kasa_config", "layer_replication", "layers_pattern",
            "layers_to_transform", "lora_ga_config", "megatron_config", "modules_to_save", "monteclora_config", "revision",
            "target_parameters", "trainable_token_indices", "use_bdlora", "velora_config");
    private static final List<String> FALSES = List.of("ensure_weight_tying", "fan_in_fan_out", "lora_bias", "use_dora",
            "use_qalora");

    private final Adapter adapter;
    private final LoraSettings settings;
    private final Map<String, Object> fields = new TreeMap<>();

    private AdapterConfigWriter(Adapter adapter) {
        this.adapter = adapter;
        this.settings = adapter.settings();
    }

    static byte[] write(Adapter adapter, AdapterExport export) throws JsonProcessingException {
        var writer = new AdapterConfigWriter(adapter);
        writer.common(export.baseModel());
        switch (export.format()) {
            case PEFT_3D -> writer.stacked();
            case PER_EXPERT -> writer.perExpert();
        }
        return JSON.writeValueAsBytes(writer.fields);
    }

    private void common(String baseModel) {
        NULLS.forEach(name -> fields.put(name, null));
        FALSES.forEach(name -> fields.put(name, false));
        fields.put("base_model_name_or_path", baseModel);
        fields.put("bias", "none");
        fields.put("inference_mode", true);
        fields.put("init_lora_weights", true);
        fields.put("loftq_config", Map.of());
        fields.put("lora_alpha", number(settings.alpha()));
        fields.put("lora_dropout", 0.0);
        fields.put("megatron_core", "megatron.core");
        fields.put("peft_type", "LORA");
        fields.put("peft_version", "0.21.0");
        fields.put("qalora_group_size", 16);
        fields.put("r", settings.rank());
        fields.put("task_type", "CAUSAL_LM");
        fields.put("use_rslora", settings.rslora());
    }

    private void stacked() {
        fields.put("target_modules", moduleTargets());
        if (!settings.targetParameters().isEmpty()) {
            fields.put("target_parameters", settings.targetParameters());
        }
        patterns(Map.of(), Map.of());
    }

    /// Experts become modules: their projections are targets, dense layers that are not adapted are excluded by name,
    /// and a rank or alpha of its own is said with a pattern over all experts of the layer.
    private void perExpert() {
        var targets = new LinkedHashSet<>(moduleTargets());
        var ranks = new LinkedHashMap<String, Object>();
        var alphas = new LinkedHashMap<String, Object>();
        for (LoraSite site : adapter.layout().sites()) {
            for (String module : expertModules(site)) {
                targets.add(module.substring(module.lastIndexOf('.') + 1));
                String pattern = adapter.names().inLayer(site.layer(), module).replace("%d", "\\d+");
                if (site.rank() != settings.rank()) {
                    ranks.put(pattern, site.rank());
                }
                if (site.alpha() != settings.alpha()) {
                    alphas.put(pattern, number(site.alpha()));
                }
            }
        }
        fields.put("target_modules", List.copyOf(targets));
        List<String> excluded = unadaptedDenseModules(targets);
        fields.put("exclude_modules", excluded.isEmpty() ? null : excluded);
        patterns(ranks, alphas);
    }

    private List<String> expertModules(LoraSite site) {
        TensorNames names = adapter.names();
        return switch (site.kind()) {
            case EXPERTS_GATE_UP -> List.of(names.expertGate(), names.expertUp());
            case EXPERTS_DOWN -> List.of(names.expertDown());
            case QUERY, KEY, VALUE, OUTPUT, QUERY_DOWN, QUERY_UP, KEY_VALUE_DOWN, KEY_VALUE_UP, CONVOLUTION_INPUT,
                    CONVOLUTION_OUTPUT, GATE, UP, DOWN, SHARED_GATE,
                    SHARED_UP, SHARED_DOWN, HEAD -> List.of();
        };
    }

    private List<String> unadaptedDenseModules(Set<String> targets) {
        return AdaptableModule.all(adapter.config(), adapter.names()).stream()
                .filter(module -> module.kind().gatedLinear() && adapter.layout().find(module.layer(), module.kind()).isEmpty()
                        && targets.stream().anyMatch(target -> module.name().endsWith("." + target)))
                .map(AdaptableModule::name).toList();
    }

    /// `all-linear` is written as what it meant, which is what PEFT does.
    private List<String> moduleTargets() {
        if (!settings.targetModules().equals(List.of(LoraSettings.ALL_LINEAR))) {
            return settings.targetModules();
        }
        SequencedSet<String> shortNames = new LinkedHashSet<>();
        adapter.layout().sites().stream().filter(site -> !site.kind().stacked())
                .forEach(site -> shortNames.add(site.name().substring(site.name().lastIndexOf('.') + 1)));
        return List.copyOf(shortNames);
    }

    /// The first matching pattern counts, so those of the experts come before the general ones.
    private void patterns(Map<String, Object> ranks, Map<String, Object> alphas) {
        var allRanks = new LinkedHashMap<>(ranks);
        settings.rankPattern().forEach(allRanks::putIfAbsent);
        var allAlphas = new LinkedHashMap<>(alphas);
        settings.alphaPattern().forEach((name, alpha) -> allAlphas.putIfAbsent(name, number(alpha)));
        fields.put("rank_pattern", allRanks);
        fields.put("alpha_pattern", allAlphas);
    }

    private static Object number(double value) {
        return value == Math.rint(value) ? (Object) (long) value : (Object) value;
    }
}
