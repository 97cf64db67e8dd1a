package dev.sluice.model.decoder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.model.Golden;
import dev.sluice.model.Quantization;
import dev.sluice.model.SpillingBackend;
import dev.sluice.model.SyntheticModel;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// When inputs of layers are put into the host's memory, and what becomes of it where that is short.
class HostMemoryChoiceTest {
    private static final int TOKENS = 4096;
    private static final int LAYERS = 6;
    /// 32 float32 numbers a token.
    private static final long ONE_INPUT = TOKENS * 32L * Float.BYTES;

    @TempDir
    private Path folder;
    private Backend cpu;

    @BeforeEach
    void open() {
        cpu = Golden.cpu();
        SyntheticModel.sparse(4, 2, 16).with("num_hidden_layers", LAYERS).write(folder);
    }

    @AfterEach
    void close() {
        cpu.close();
    }

    private MemoryPlan plan(Backend backend) {
        return MemoryPlan.ofShape(folder, backend, Quantization.NONE, LoraSettings.of(2, 4, List.of("q_proj"), List.of()));
    }

    private MemoryPlan plan(long hostBytes) {
        return plan(SpillingBackend.of(cpu, hostBytes));
    }

    private static ActivationChoice choose(MemoryPlan plan, String level, long budget) {
        return plan.choose(TOKENS, new MemoryWish(MemoryWish.of(level, null).level(), budget), new MemoryStatus(1L << 40, 1L << 40));
    }

    private static long total(MemoryPlan plan, ActivationLevel level) {
        return plan.totalBytes(TOKENS, plan.uniform(level));
    }

    @Test
    void hostKeepsTwoInputsOfSixOnTheDevice() {
        var plan = plan(1L << 30);
        assertEquals(4 * ONE_INPUT, total(plan, ActivationLevel.INPUT) - total(plan, ActivationLevel.HOST));
        assertEquals(6 * ONE_INPUT, plan.hostBytes(TOKENS, plan.uniform(ActivationLevel.HOST)));
        assertEquals(0, plan.hostBytes(TOKENS, plan.uniform(ActivationLevel.INPUT)));
    }

    @Test
    void nothingGoesToTheHostWhereAllInputsFit() {
        var plan = plan(1L << 30);
        var choice = choose(plan, "auto", total(plan, ActivationLevel.INPUT));
        assertEquals(plan.uniform(ActivationLevel.INPUT), choice.policy());
        assertEquals(0, choice.hostBytes());
        assertTrue(choice.describe().contains("6 layers keep input; "), choice.describe());
    }

    /// With two buffers for all that wait, one or two layers less on the device save nothing.
    @Test
    void asManyInputsAsFitStayOnTheDevice() {
        var plan = plan(1L << 30);
        for (int missing = 1; missing <= 4; missing++) {
            int waiting = missing + 2;
            long budget = total(plan, ActivationLevel.INPUT) - missing * ONE_INPUT;
            for (long slack : new long[] {0, ONE_INPUT - 1}) {
                var choice = choose(plan, "auto", budget + slack);
                assertEquals(IntStream.range(0, LAYERS).mapToObj(layer -> layer < waiting ? ActivationLevel.HOST : ActivationLevel.INPUT).toList(),
                        choice.policy().layers());
                assertEquals(budget, choice.totalBytes());
                assertEquals(waiting * ONE_INPUT, choice.hostBytes());
            }
        }
    }

    @Test
    void aPlanSaysWhatWaitsInHostMemory() {
        var plan = plan(1L << 30);
        String mixed = choose(plan, "auto", total(plan, ActivationLevel.INPUT) - 2 * ONE_INPUT).describe();
        assertTrue(mixed.contains("4,096 tokens: 2 layers keep input, 4 layers keep it in host memory; "), mixed);
        assertTrue(mixed.endsWith(", and 2.0 MiB of pinned host memory"), mixed);
        String all = choose(plan, "host", 1L << 39).describe();
        assertTrue(all.contains("4,096 tokens: 6 layers keep input in host memory; "), all);
        assertTrue(all.endsWith(", and 3.0 MiB of pinned host memory"), all);
        var deep = new ActivationPolicy(List.of(ActivationLevel.HOST, ActivationLevel.ATTN, ActivationLevel.MID, ActivationLevel.ATTN));
        assertEquals("3 layers keep attn, 1 of them mid, 1 layers keep it in host memory", deep.describe());
    }

    @Test
    void shortHostMemoryIsRefusedWithTheNumbers() {
        var plan = plan(6 * ONE_INPUT - 1);
        var refusal = assertThrows(OutOfMemoryException.class, () -> choose(plan, "host", 1L << 39));
        assertEquals(6 * ONE_INPUT, refusal.wantedBytes());
        assertEquals(6 * ONE_INPUT - 1, refusal.freeBytes());
        assertTrue(refusal.getMessage().startsWith("host memory for inputs of layers, "), refusal.getMessage());
        assertEquals(5 * ONE_INPUT, choose(plan, "auto", total(plan, ActivationLevel.INPUT) - 3 * ONE_INPUT).hostBytes());
        assertThrows(OutOfMemoryException.class, () -> choose(plan, "auto", total(plan, ActivationLevel.INPUT) - 4 * ONE_INPUT));
    }

    @Test
    void whatDoesNotFitEvenSoIsRefused() {
        var plan = plan(1L << 30);
        var refusal = assertThrows(OutOfMemoryException.class, () -> choose(plan, "auto", total(plan, ActivationLevel.HOST) - 1));
        assertEquals(total(plan, ActivationLevel.HOST), refusal.wantedBytes());
        assertTrue(refusal.getMessage().contains("6 layers keep input in host memory"), refusal.getMessage());
    }

    @Test
    void hostMeansInputWhereMemoryIsTheHosts() {
        var plan = plan(cpu);
        var choice = choose(plan, "host", 1L << 39);
        assertEquals(plan.uniform(ActivationLevel.INPUT), choice.policy());
        assertEquals(0, choice.hostBytes());
        var refusal = assertThrows(OutOfMemoryException.class, () -> choose(plan, "auto", total(plan, ActivationLevel.INPUT) - 1));
        assertTrue(refusal.getMessage().contains("6 layers keep input; "), refusal.getMessage());
    }
}
