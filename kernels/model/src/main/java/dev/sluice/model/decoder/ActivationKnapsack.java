package dev.sluice.model.decoder;

import dev.sluice.model.config.AttentionConfig;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.MixerConfig;
import dev.sluice.model.config.MixerConfig.ShortConvolution;
import dev.sluice.model.lora.AdapterLayout;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/// Fills memory with what saves most time per byte. That is the order of the levels, whatever the length of the documents: attention
/// first, whose time grows with their square, and the experts' activations, the widest, last. So a level begins only when every layer
/// has the one before it.
///
/// @param fits whether a policy can be had; what keeps more of some layer never fits where less did not
record ActivationKnapsack(DecoderConfig config, AdapterLayout layout, Predicate<ActivationPolicy> fits) {
    /// Puts as few inputs into the host's memory as can be, and none where all fit beside one another.
    ActivationPolicy fillOrSpill() {
        ActivationPolicy policy = ActivationPolicy.uniform(ActivationLevel.INPUT, config.layers());
        if (fits.test(policy)) {
            return fill();
        }
        List<Integer> order = order();
        ActivationPolicy away = raise(policy, order, ActivationLevel.HOST);
        return raise(away, order.subList(0, most(away, order, ActivationLevel.INPUT)), ActivationLevel.INPUT);
    }

    /// Keeps every input where it is.
    ActivationPolicy fill() {
        List<Integer> order = order();
        ActivationPolicy policy = ActivationPolicy.uniform(ActivationLevel.INPUT, config.layers());
        for (var level : EnumSet.range(ActivationLevel.INPUT, ActivationLevel.ALL)) {
            int count = most(policy, order, level);
            policy = raise(policy, order.subList(0, count), level);
            if (count < order.size()) {
                break;
            }
        }
        return policy;
    }

    /// Layers with a backward pass: first those that attend farthest, then from the top.
    private List<Integer> order() {
        return IntStream.range(TrainingPass.lowest(layout, config.layers()), config.layers()).boxed()
                .sorted(Comparator.comparingInt((Integer layer) -> -reach(config.mixer(layer))).thenComparing(Comparator.reverseOrder()))
                .toList();
    }

    private static int reach(MixerConfig mixer) {
        return switch (mixer) {
            case AttentionConfig attention -> attention.window() == 0 ? Integer.MAX_VALUE : attention.window();
            case ShortConvolution _ -> 0;
        };
    }

    /// How many layers of the order can have the level.
    private int most(ActivationPolicy policy, List<Integer> order, ActivationLevel level) {
        if (fits.test(raise(policy, order, level))) {
            return order.size();
        }
        int least = 0;
        int most = order.size() - 1;
        while (least < most) {
            int middle = least + (most - least + 1) / 2;
            if (fits.test(raise(policy, order.subList(0, middle), level))) {
                least = middle;
            } else {
                most = middle - 1;
            }
        }
        return least;
    }

    private static ActivationPolicy raise(ActivationPolicy policy, List<Integer> layers, ActivationLevel level) {
        return new ActivationPolicy(IntStream.range(0, policy.layers().size())
                .mapToObj(layer -> layers.contains(layer) ? level : policy.layers().get(layer)).toList());
    }
}
