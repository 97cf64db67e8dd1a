package dev.sluice.trainer.run;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.ActivationChoice;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import org.jboss.logging.Logger;

/// What a run keeps of its activations, and of every parameter, decided from the memory that is free before anything is loaded.
final class MemoryChoice {

    private static final Logger LOG = Logger.getLogger(MemoryChoice.class);

    private MemoryChoice() {}

    /// @param tokens of the largest micro-batch
    /// @param loaded whether the base model lies in memory already
    /// @param optimizer which state of the optimiser was asked for, or the run began with
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers when the run cannot fit in any way
    static ActivationChoice of(Path model, Quantization quantization, LoraSettings lora, Backend backend, int tokens, boolean loaded,
            MemoryWish wish, OptimizerChoice optimizer) {
        var plan = MemoryPlan.of(model, backend, quantization, lora);
        MemoryStatus now = backend.memory();
        long free = Math.min(now.totalBytes(), now.freeBytes() + (loaded ? plan.weightBytes() : 0));
        ActivationChoice choice = optimizer.choose(plan, tokens, wish, new MemoryStatus(now.totalBytes(), free));
        LOG.infof("memory plan: %s", choice.describe());
        return choice;
    }
}
