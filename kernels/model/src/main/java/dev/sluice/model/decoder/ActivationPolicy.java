package dev.sluice.model.decoder;

import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// What each layer keeps for the backward pass.
///
/// @param layers one level per layer
public record ActivationPolicy(List<ActivationLevel> layers) {
    public ActivationPolicy {
        layers = List.copyOf(layers);
    }

    /// The same level everywhere.
    public static ActivationPolicy uniform(ActivationLevel level, int layers) {
        return new ActivationPolicy(Collections.nCopies(layers, level));
    }

    /// How many layers keep how much, such as `48 layers keep attn, 21 of them mid`, or `30 layers keep input, 18 layers keep it in host
    /// memory`.
    public String describe() {
        String device = onDevice().filter(level -> count(level) > 0 && !replaced(level)).map(level ->
                count(level) + " layers keep " + level).collect(Collectors.joining(", "))
                .replaceAll("(, \\d+) layers keep", "$1 of them");
        long away = layers.size() - count(ActivationLevel.INPUT);
        return away == 0 ? device : device.isEmpty() ? away + " layers keep input in host memory"
                : device + ", " + away + " layers keep it in host memory";
    }

    private static Stream<ActivationLevel> onDevice() {
        return Stream.of(ActivationLevel.values()).filter(level -> level.keeps(ActivationLevel.INPUT));
    }

    /// Whether every layer keeps more than that.
    private boolean replaced(ActivationLevel level) {
        return level != ActivationLevel.ALL && layers.stream().filter(own -> own.keeps(ActivationLevel.INPUT))
                .allMatch(own -> own.compareTo(level) > 0);
    }

    /// Layers that keep at least that much.
    private long count(ActivationLevel level) {
        return layers.stream().filter(own -> own.keeps(level)).count();
    }
}
