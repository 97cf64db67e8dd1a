package dev.sluice.model.lora;

import dev.sluice.model.config.TensorNames;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/// Lets settings name expert projections as modules, as configurations written for unfused experts do: `gate_proj` with
/// `up_proj` means the stacked gate_up_proj, at twice the rank and alpha, and `down_proj` the stacked down_proj. That
/// is what peft 0.21 makes of them. Dense layers of those names stay targets too. `all-linear` is every linear layer
/// and every expert, but neither the head nor a router.
final class ExpertTargets {
    private final List<AdaptableModule> modules;
    private final String gate;
    private final String up;
    private final String down;

    ExpertTargets(List<AdaptableModule> modules, TensorNames names) {
        this.modules = modules;
        this.gate = last(names.expertGate());
        this.up = last(names.expertUp());
        this.down = last(names.expertDown());
    }

    /// @throws IllegalArgumentException if only one of gate and up is named
    LoraSettings expand(LoraSettings settings) {
        SequencedSet<String> targets = settings.targetModules().equals(List.of(LoraSettings.ALL_LINEAR))
                ? everything() : new LinkedHashSet<>(settings.targetModules());
        var parameters = new LinkedHashSet<>(settings.targetParameters());
        var ranks = new LinkedHashMap<>(settings.rankPattern());
        var alphas = new LinkedHashMap<>(settings.alphaPattern());
        if (targets.contains(gate) != targets.contains(up) && isOnlyExpert(gate)) {
            throw new IllegalArgumentException("lora: " + gate + " and " + up + " of the experts are one matrix;"
                    + " target both of them or neither");
        }
        if (targets.contains(gate) && targets.contains(up)) {
            stacks(Kind.EXPERTS_GATE_UP).forEach(name -> {
                parameters.add(name);
                ranks.putIfAbsent(".*\\." + name, 2 * settings.rank());
                alphas.putIfAbsent(".*\\." + name, 2 * settings.alpha());
            });
        }
        if (targets.contains(down)) {
            parameters.addAll(stacks(Kind.EXPERTS_DOWN));
        }
        targets.removeIf(target -> List.of(gate, up, down).contains(target) && isOnlyExpert(target));
        return new LoraSettings(settings.rank(), settings.alpha(), List.copyOf(targets), List.copyOf(parameters),
                settings.rslora(), ranks, alphas);
    }

    private SequencedSet<String> everything() {
        var all = new LinkedHashSet<String>();
        modules.stream().filter(module -> !module.kind().stacked() && module.kind() != Kind.HEAD)
                .forEach(module -> all.add(last(module.name())));
        if (modules.stream().anyMatch(module -> module.kind().stacked())) {
            all.addAll(List.of(gate, up, down));
        }
        return all;
    }

    /// Short name of the stacks of that kind: one, or none in a model without experts.
    private List<String> stacks(Kind kind) {
        return modules.stream().filter(module -> module.kind() == kind).map(module -> last(module.name())).distinct().toList();
    }

    /// The model has experts and no linear layer of that name.
    private boolean isOnlyExpert(String target) {
        return modules.stream().anyMatch(module -> module.kind().stacked())
                && modules.stream().noneMatch(module -> !module.kind().stacked() && last(module.name()).equals(target));
    }

    private static String last(String name) {
        return name.substring(name.lastIndexOf('.') + 1);
    }
}
