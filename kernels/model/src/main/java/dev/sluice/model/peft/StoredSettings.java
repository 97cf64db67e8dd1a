package dev.sluice.model.peft;

import dev.sluice.model.lora.LoraSettings;
import java.util.List;
import java.util.Map;

/// What `adapter_config.json` says, before the tensors show which matrices there are. Unlike [LoraSettings] it may
/// target nothing: a per-expert file's experts are found by their names.
record StoredSettings(int rank, double alpha, List<String> targetModules, List<String> targetParameters, boolean rslora,
        Map<String, Integer> rankPattern, Map<String, Double> alphaPattern) {
    LoraSettings settings() {
        return new LoraSettings(rank, alpha, targetModules, targetParameters, rslora, rankPattern, alphaPattern);
    }
}
