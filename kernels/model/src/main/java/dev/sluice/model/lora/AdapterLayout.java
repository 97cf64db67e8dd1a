package dev.sluice.model.lora;

import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Where every matrix of an adapter lies in its flat block of numbers. Matrices begin at multiples of [#ALIGNMENT];
/// the gaps stay zero.
///
/// @param sites in the decoder's order: layer by layer, the head last
/// @param size numbers in the block, gaps included
public record AdapterLayout(List<LoraSite> sites, long size) {
    /// Numbers; 256 bytes of float32, enough for every kernel's loads.
    public static final int ALIGNMENT = 64;

    public AdapterLayout {
        sites = List.copyOf(sites);
    }

    /// Lays out an adapter of a decoder.
    ///
    /// @throws IllegalArgumentException if the settings match nothing in it
    public static AdapterLayout of(DecoderConfig config, TensorNames names, LoraSettings settings) {
        var targets = new Targets(settings);
        var sites = new ArrayList<LoraSite>();
        long next = 0;
        for (var module : AdaptableModule.all(config, names)) {
            if (targets.match(module)) {
                LoraSite site = targets.site(module, next, next + aligned(module.experts(), targets.rank(module), module.in()));
                sites.add(site);
                next = site.offsetB() + aligned(site.experts(), site.out(), site.rank());
            }
        }
        if (sites.isEmpty()) {
            throw new IllegalArgumentException("lora: target_modules " + settings.targetModules() + " and target_parameters "
                    + settings.targetParameters() + " match nothing in this model; it has "
                    + AdaptableModule.shortNames(config, names));
        }
        return new AdapterLayout(sites, next);
    }

    /// Trainable numbers, gaps excluded.
    public long parameters() {
        return sites.stream().mapToLong(site -> site.elementsA() + site.elementsB()).sum();
    }

    /// The site of that kind in a layer (-1 for the head), if it is adapted.
    public Optional<LoraSite> find(int layer, LoraSite.Kind kind) {
        return sites.stream().filter(site -> site.layer() == layer && site.kind() == kind).findFirst();
    }

    private static long aligned(long... shape) {
        long elements = 1;
        for (long dimension : shape) {
            elements = Math.multiplyExact(elements, dimension);
        }
        return Math.ceilDiv(elements, ALIGNMENT) * ALIGNMENT;
    }
}
