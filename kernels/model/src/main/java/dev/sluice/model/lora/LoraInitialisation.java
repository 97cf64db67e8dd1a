package dev.sluice.model.lora;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/// PEFT's default initialisation: A Kaiming-uniform with a = sqrt(5), which is uniform in ±1/sqrt(in); B zero, so that
/// a fresh adapter changes nothing.
final class LoraInitialisation {
    private LoraInitialisation() {}

    static MemorySegment fresh(AdapterLayout layout, long seed) {
        MemorySegment values = Arena.ofAuto().allocate(layout.size() * Float.BYTES, Long.BYTES);
        RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        for (LoraSite site : layout.sites()) {
            double bound = 1 / Math.sqrt(site.in());
            for (long i = site.offsetA(); i < site.offsetA() + site.elementsA(); i++) {
                values.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextDouble(-bound, bound));
            }
        }
        return values;
    }
}
