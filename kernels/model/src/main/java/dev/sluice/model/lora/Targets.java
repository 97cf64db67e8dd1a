package dev.sluice.model.lora;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// PEFT's rules: which modules settings mean, and with which rank and alpha.
public final class Targets {
    private final LoraSettings settings;

    public Targets(LoraSettings settings) {
        this.settings = settings;
    }

    /// Whether the module gets an adapter.
    public boolean match(AdaptableModule module) {
        boolean allLinear = settings.targetModules().equals(List.of(LoraSettings.ALL_LINEAR));
        return module.kind().stacked() ? named(settings.targetParameters(), module.name())
                : allLinear ? module.kind() != LoraSite.Kind.HEAD : named(settings.targetModules(), module.name());
    }

    /// Names in the settings that mean nothing in this list of modules.
    public List<String> unmatched(List<AdaptableModule> modules) {
        return Stream.concat(
                settings.targetModules().stream().filter(target -> !target.equals(LoraSettings.ALL_LINEAR)
                        && modules.stream().noneMatch(m -> !m.kind().stacked() && named(List.of(target), m.name()))),
                settings.targetParameters().stream().filter(target ->
                        modules.stream().noneMatch(m -> m.kind().stacked() && named(List.of(target), m.name())))).toList();
    }

    /// Whether a rank or alpha pattern is about the module of that name.
    public boolean patterned(String name) {
        return Stream.concat(settings.rankPattern().keySet().stream(), settings.alphaPattern().keySet().stream())
                .anyMatch(pattern -> matches(pattern, name));
    }

    int rank(AdaptableModule module) {
        return pattern(settings.rankPattern(), module.name(), settings.rank());
    }

    LoraSite site(AdaptableModule module, long offsetA, long offsetB) {
        int rank = rank(module);
        double alpha = pattern(settings.alphaPattern(), module.name(), settings.alpha());
        double scale = alpha / (settings.rslora() ? Math.sqrt(rank) : rank);
        return new LoraSite(module.name(), module.kind(), module.layer(), module.experts(), module.in(), module.out(),
                module.alternating(), rank, alpha, scale, offsetA, offsetB);
    }

    private static boolean named(List<String> targets, String name) {
        return targets.stream().anyMatch(target -> name.equals(target) || name.endsWith("." + target));
    }

    private static <T> T pattern(Map<String, T> patterns, String name, T otherwise) {
        return patterns.entrySet().stream()
                .filter(entry -> matches(entry.getKey(), name)).map(Map.Entry::getValue).findFirst().orElse(otherwise);
    }

    private static boolean matches(String pattern, String name) {
        return Pattern.compile("(.*\\.)?(" + pattern + ")$").matcher(name).matches();
    }
}
