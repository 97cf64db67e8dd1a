package dev.sluice.trainer.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.contracts.job.Lora;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.decoder.OptimizerChoice;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class MemoryChoiceTest {
    private static final Path MODEL = Path.of(System.getProperty("sluice.golden"), "float32-dense-layers", "model");
    private static final LoraSettings LORA = Settings.lora(Lora.defaults());
    private static final int TOKENS = 512;
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Backends.installed().choose("cpu").backend();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    private static ActivationPolicy choose(MemoryWish wish) {
        return MemoryChoice.of(MODEL, Quantization.NONE, LORA, backend, TOKENS, false, wish, OptimizerChoice.EXACT).policy();
    }

    private static MemoryPlan plan() {
        return MemoryPlan.of(MODEL, backend, Quantization.NONE, LORA);
    }

    private static long total(ActivationLevel level) {
        return plan().totalBytes(TOKENS, plan().uniform(level));
    }

    @Test
    void aSmallBatchKeepsItsActivations() {
        assertEquals(plan().uniform(ActivationLevel.ALL), choose(MemoryWish.AUTO));
    }

    @Test
    void aLevelThatIsNamedIsKept() {
        assertEquals(plan().uniform(ActivationLevel.MID), choose(MemoryWish.of("mid", null)));
    }

    /// The record says so.
    @Test
    void hostMemoryIsTheMemoryOfTheCpu() {
        var choice = MemoryChoice.of(MODEL, Quantization.NONE, LORA, backend, TOKENS, false, MemoryWish.of("host", null), OptimizerChoice.EXACT);
        assertEquals(plan().uniform(ActivationLevel.INPUT), choice.policy());
        assertEquals(0, choice.hostBytes());
    }

    @Test
    void aBudgetIsFilledAndNotExceeded() {
        for (var level : EnumSet.range(ActivationLevel.INPUT, ActivationLevel.ALL)) {
            assertEquals(plan().uniform(level), choose(new MemoryWish(null, total(level))));
        }
        long between = (total(ActivationLevel.QKV) + total(ActivationLevel.ALL)) / 2;
        ActivationPolicy mixed = choose(new MemoryWish(null, between));
        assertNotEquals(plan().uniform(ActivationLevel.QKV), mixed);
        assertTrue(mixed.layers().containsAll(List.of(ActivationLevel.QKV, ActivationLevel.ALL)), mixed.describe());
        assertTrue(plan().totalBytes(TOKENS, mixed) <= between, mixed.describe());
    }

    @Test
    void aBatchThatFitsInNoWayIsRefusedWithTheNumbers() {
        var wish = new MemoryWish(null, total(ActivationLevel.INPUT) - 1);
        var failure = assertThrows(OutOfMemoryException.class, () -> choose(wish));
        assertTrue(failure.getMessage().contains("bytes, "), failure.getMessage());
        var level = new MemoryWish(ActivationLevel.ALL, total(ActivationLevel.QKV));
        assertThrows(OutOfMemoryException.class, () -> choose(level));
    }

    @Test
    void unknownPolicyIsRefusedWithTheOnesThereAre() {
        var failure = assertThrows(IllegalArgumentException.class, () -> MemoryWish.of("everything", null));
        assertTrue(failure.getMessage().contains("auto or one of [host, input, attn, mid, qkv, all], was everything"), failure.getMessage());
    }
}
