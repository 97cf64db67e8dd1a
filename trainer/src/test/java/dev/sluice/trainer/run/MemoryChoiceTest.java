package dev.sluice.trainer.run;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.contracts.job.Lora;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MemoryChoiceTest {
    private static final Path MODEL = Path.of(System.getProperty("sluice.golden"), "float32-dense-layers", "model");
    private static final LoraSettings LORA = Settings.lora(Lora.defaults());
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Backends.installed().choose("cpu").backend();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    /// Tokens for which the activations, kept or not, take `share` of the free memory.
    private static int tokens(boolean checkpointing, double share) {
        var plan = MemoryPlan.of(MODEL, backend.activationType(), LORA, checkpointing);
        return (int) Math.min(Integer.MAX_VALUE, share * backend.memory().freeBytes() / plan.bytesPerToken());
    }

    @Test
    void aSmallBatchKeepsItsActivations() {
        assertFalse(MemoryChoice.of(MODEL, Quantization.NONE, LORA, backend, 512, false).gradientCheckpointing());
    }

    @Test
    void aBatchThatWouldTakeMostOfTheMemoryIsComputedAgain() {
        assertTrue(MemoryChoice.of(MODEL, Quantization.NONE, LORA, backend, tokens(false, 0.7), true).gradientCheckpointing());
    }

    @Test
    void aBatchThatFitsInNoWayIsRefusedWithTheNumbers() {
        var failure = assertThrows(OutOfMemoryException.class, () -> MemoryChoice.of(MODEL, Quantization.NONE, LORA, backend, tokens(true, 1.5), false));
        assertTrue(failure.getMessage().contains("bytes, "), failure.getMessage());
    }
}
