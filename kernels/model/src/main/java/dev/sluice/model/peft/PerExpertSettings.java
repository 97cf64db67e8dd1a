package dev.sluice.model.peft;

import dev.sluice.model.InvalidFileException;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.AdaptableModule;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.lora.LoraSite.Kind;
import dev.sluice.model.safetensors.SafetensorsFile;
import dev.sluice.model.safetensors.TensorEntry;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Translates the settings of a per-expert file, whose experts are modules, to ours, whose experts are stacked
/// parameters: which stacks are adapted, and with which rank, is read off the tensors.
final class PerExpertSettings {
    private final SafetensorsFile file;
    private final PerExpertNames experts;
    private final StoredSettings stored;
    private final List<String> parameters = new ArrayList<>();
    private final Map<String, Integer> ranks = new LinkedHashMap<>();
    private final Map<String, Double> alphas = new LinkedHashMap<>();
    private final Set<Integer> separate = new HashSet<>();

    private PerExpertSettings(SafetensorsFile file, TensorNames names, StoredSettings stored) {
        this.file = file;
        this.experts = new PerExpertNames(names);
        this.stored = stored;
    }

    /// @param separate layers whose gate and up have an A each, and so twice the rank
    record Translated(LoraSettings settings, Set<Integer> separate) {}

    /// Whether the file names single experts.
    static boolean applies(SafetensorsFile file, TensorNames names, List<AdaptableModule> modules) {
        var experts = new PerExpertNames(names);
        return modules.stream().filter(module -> module.kind().stacked()).anyMatch(module ->
                IntStream.range(0, module.experts()).anyMatch(e -> projections(experts, module, e).stream()
                        .anyMatch(name -> file.tensors().containsKey(Peft3dNames.a(name)))));
    }

    static Translated translate(SafetensorsFile file, TensorNames names, List<AdaptableModule> modules,
            StoredSettings stored) {
        var translation = new PerExpertSettings(file, names, stored);
        var targets = new ArrayList<>(stored.targetModules());
        targets.removeIf(target -> modules.stream().anyMatch(m -> m.kind().gatedLinear() && m.name().endsWith("." + target)));
        for (var module : modules) {
            if (module.kind().stacked()) {
                translation.stack(module);
            } else if (module.kind().gatedLinear() && file.tensors().containsKey(Peft3dNames.a(module.name()))) {
                targets.add(module.name());
            }
        }
        translation.ranks.putAll(stored.rankPattern());
        translation.alphas.putAll(stored.alphaPattern());
        return new Translated(new LoraSettings(stored.rank(), stored.alpha(), targets, translation.parameters,
                stored.rslora(), translation.ranks, translation.alphas), translation.separate);
    }

    private void stack(AdaptableModule module) {
        List<String> projections = projections(experts, module, 0);
        TensorEntry first = file.tensors().get(Peft3dNames.a(projections.getFirst()));
        if (first == null) {
            return;
        }
        if (first.shape().length != 2) {
            throw new InvalidFileException(file.path(), "tensor " + first + " should be a matrix [rank, in]");
        }
        int rank = Math.toIntExact(first.shape()[0]);
        double alpha = alpha(projections.getFirst());
        parameters.add(module.name());
        if (module.kind() == Kind.EXPERTS_GATE_UP && !sharesA(module)) {
            separate.add(module.layer());
            alpha *= stored.rslora() ? Math.sqrt(2) : 2;
            rank *= 2;
        }
        if (rank != stored.rank()) {
            ranks.put(escaped(module.name()), rank);
        }
        if (alpha != stored.alpha()) {
            alphas.put(escaped(module.name()), alpha);
        }
    }

    /// A pattern that both Java and Python read as this very name.
    private static String escaped(String name) {
        return name.replace(".", "\\.");
    }

    private double alpha(String projection) {
        return stored.alphaPattern().entrySet().stream()
                .filter(entry -> Pattern.compile("(.*\\.)?(" + entry.getKey() + ")$").matcher(projection).matches())
                .map(Map.Entry::getValue).findFirst().orElse(stored.alpha());
    }

    private boolean sharesA(AdaptableModule module) {
        return IntStream.range(0, module.experts()).allMatch(expert -> {
            TensorEntry gate = file.tensors().get(Peft3dNames.a(experts.gate(module.layer(), expert)));
            TensorEntry up = file.tensors().get(Peft3dNames.a(experts.up(module.layer(), expert)));
            return gate != null && up != null && file.data(gate).mismatch(file.data(up)) < 0;
        });
    }

    private static List<String> projections(PerExpertNames experts, AdaptableModule module, int expert) {
        return module.kind() == Kind.EXPERTS_GATE_UP
                ? List.of(experts.gate(module.layer(), expert), experts.up(module.layer(), expert))
                : List.of(experts.down(module.layer(), expert));
    }
}
