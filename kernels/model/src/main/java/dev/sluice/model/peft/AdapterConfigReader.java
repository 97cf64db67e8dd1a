package dev.sluice.model.peft;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.json.JsonFields;
import dev.sluice.model.lora.AdaptableModule;
import dev.sluice.model.lora.LoraSettings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/// Reads `adapter_config.json`. Ways of naming modules that settings do not have (a regular expression, layer indices,
/// exclusions) are resolved to full module names.
final class AdapterConfigReader {
    private static final int LARGEST_RANK = 1 << 16;
    private static final List<String> UNSUPPORTED_FLAGS =
            List.of("use_dora", "lora_bias", "fan_in_fan_out", "use_qalora");
    private static final List<String> UNSUPPORTED_FIELDS = List.of("modules_to_save", "trainable_token_indices",
            "layer_replication", "alora_invocation_tokens", "megatron_config", "use_bdlora");

    private final JsonFields fields;
    private final List<AdaptableModule> modules;

    AdapterConfigReader(JsonFields fields, List<AdaptableModule> modules) {
        this.fields = fields;
        this.modules = modules;
    }

    StoredSettings read() {
        requireSupported();
        double alpha = fields.positive("lora_alpha", 8);
        return new StoredSettings(fields.count("r", LARGEST_RANK, 8), alpha, targetModules(), strings("target_parameters"),
                fields.flag("use_rslora", false), ranks(), alphas());
    }

    private void requireSupported() {
        String type = fields.text("peft_type", "");
        require(type.equals("LORA"), "peft_type " + type + " is not supported; known is LORA");
        String bias = fields.text("bias", "none");
        require(bias.equals("none"), "bias " + bias + " is not supported; known is none");
        for (String flag : UNSUPPORTED_FLAGS) {
            require(!fields.flag(flag, false), flag + " is not supported");
        }
        for (String field : UNSUPPORTED_FIELDS) {
            JsonNode value = fields.get(field);
            require(value == null || value.isEmpty() && value.isContainerNode(), field + " is not supported");
        }
    }

    private List<String> targetModules() {
        JsonNode targets = fields.get("target_modules");
        Predicate<String> kept = kept();
        if (targets != null && targets.isTextual() && !targets.textValue().equals(LoraSettings.ALL_LINEAR)) {
            Pattern pattern = Pattern.compile(targets.textValue());
            return fullNames(kept.and(name -> pattern.matcher(name).matches()));
        }
        List<String> names = targets != null && targets.isTextual() ? List.of(LoraSettings.ALL_LINEAR) : strings("target_modules");
        boolean restricted = fields.has("exclude_modules") || fields.has("layers_to_transform");
        return restricted ? fullNames(kept.and(name -> ends(names, name))) : names;
    }

    /// `exclude_modules` and `layers_to_transform`.
    private Predicate<String> kept() {
        JsonNode excluded = fields.get("exclude_modules");
        JsonNode layers = fields.get("layers_to_transform");
        Predicate<String> kept = name -> true;
        if (excluded != null && excluded.isTextual()) {
            kept = Pattern.compile(excluded.textValue()).asMatchPredicate().negate();
        } else if (excluded != null) {
            List<String> names = strings("exclude_modules");
            kept = name -> !ends(names, name);
        }
        if (layers != null) {
            var indices = new ArrayList<Integer>();
            (layers.isArray() ? layers : List.of(layers)).forEach(index -> indices.add(index.intValue()));
            kept = kept.and(name -> modules.stream().anyMatch(m -> m.name().equals(name) && indices.contains(m.layer())));
        }
        return kept;
    }

    private List<String> fullNames(Predicate<String> wanted) {
        return modules.stream().filter(module -> !module.kind().stacked()).map(AdaptableModule::name).filter(wanted).toList();
    }

    private static boolean ends(List<String> targets, String name) {
        return targets.stream().anyMatch(target -> name.equals(target) || name.endsWith("." + target));
    }

    private List<String> strings(String field) {
        JsonNode list = fields.get(field);
        var strings = new ArrayList<String>();
        if (list == null) {
            return strings;
        }
        for (JsonNode entry : list) {
            if (!entry.isTextual()) {
                throw fields.wrong(field, "a list of strings", list);
            }
            strings.add(entry.textValue());
        }
        return strings;
    }

    private Map<String, Integer> ranks() {
        JsonFields pattern = fields.object("rank_pattern");
        var ranks = new LinkedHashMap<String, Integer>();
        pattern.names().forEach(name -> ranks.put(name, pattern.count(name, LARGEST_RANK)));
        return ranks;
    }

    private Map<String, Double> alphas() {
        JsonFields pattern = fields.object("alpha_pattern");
        var alphas = new LinkedHashMap<String, Double>();
        pattern.names().forEach(name -> alphas.put(name, pattern.positive(name)));
        return alphas;
    }

    private void require(boolean supported, String reason) {
        if (!supported) {
            throw new UnsupportedModelException(fields.file() + ": " + reason);
        }
    }
}
