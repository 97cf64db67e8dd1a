package dev.sluice.trainer.run;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import org.jboss.logging.Logger;

/// Whether a run keeps its activations or computes every layer again in the backward pass, decided from the memory that
/// is free before anything is loaded. The numbers that are trained do not depend on it.
///
/// @param gradientCheckpointing compute layers again
/// @param plan what the run will take
record MemoryChoice(boolean gradientCheckpointing, MemoryPlan plan) {

    ActivationPolicy policy(int layers) {
        return ActivationPolicy.uniform(gradientCheckpointing ? ActivationLevel.INPUT : ActivationLevel.ALL, layers);
    }

    private static final Logger LOG = Logger.getLogger(MemoryChoice.class);
    /// Keeping activations may take this share of what is free: others on the machine want memory too.
    private static final double GENEROUS_SHARE = 0.5;

    /// @param tokens of the largest micro-batch
    /// @param loaded whether the base model lies in memory already
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers when the run cannot fit in any way
    static MemoryChoice of(Path model, Quantization quantization, LoraSettings lora, Backend backend, int tokens, boolean loaded) {
        MemoryStatus memory = backend.memory();
        var keeping = MemoryPlan.of(model, backend, quantization, lora, false);
        long weights = loaded ? keeping.weightBytes() : 0;
        var choice = keeping.totalBytes(tokens) - weights <= GENEROUS_SHARE * memory.freeBytes() ? new MemoryChoice(false, keeping)
                : new MemoryChoice(true, MemoryPlan.of(model, backend, quantization, lora, true));
        choice.plan.requireFits(new MemoryStatus(memory.totalBytes() + weights, memory.freeBytes() + weights), tokens);
        LOG.infof("memory plan: %s; layers are %s in the backward pass", choice.plan.describe(tokens),
                choice.gradientCheckpointing ? "computed again" : "kept");
        return choice;
    }
}
