package dev.sluice.model.decoder;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.Golden;
import dev.sluice.model.Quantization;
import dev.sluice.model.lora.LoraSettings;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class OptimizerChoiceTest {
    private static final int TOKENS = 64;
    private static Backend backend;
    private static MemoryPlan plan;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
        plan = MemoryPlan.of(Golden.folder(Golden.ELEVEN_EXPERTS).resolve("model"), backend, Quantization.NONE,
                LoraSettings.of(16, 16, List.of("q_proj", "o_proj"),
                        List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj")));
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    private static long total(OptimizerState state, ActivationLevel level) {
        return plan.with(state).totalBytes(TOKENS, plan.uniform(level));
    }

    private static ActivationChoice choose(OptimizerChoice choice, long budget) {
        return choice.choose(plan, TOKENS, new MemoryWish(null, budget), new MemoryStatus(1L << 40, 1L << 40));
    }

    /// On the CPU 16 bytes a parameter, or 10 and two scales a block.
    @Test
    void statesTakeTheirBytes() {
        double exact = plan.with(OptimizerState.EXACT).adapterBytes() / (double) plan.adapterParameters();
        double lean = plan.with(OptimizerState.LEAN).adapterBytes() / (double) plan.adapterParameters();
        assertEquals(16, exact, 0.1);
        assertEquals(10.03, lean, 0.1);
    }

    @Test
    void exactIsChosenWhereItCostsNoActivations() {
        var choice = choose(OptimizerChoice.AUTO, total(OptimizerState.EXACT, ActivationLevel.ALL));
        assertEquals(OptimizerState.EXACT, choice.plan().optimizerState());
        assertEquals(plan.uniform(ActivationLevel.ALL), choice.policy());
        assertEquals(choice.plan().totalBytes(TOKENS, choice.policy()), choice.totalBytes());
    }

    @ParameterizedTest
    @EnumSource
    void leanIsChosenWhereExactWouldCostActivations(ActivationLevel level) {
        long budget = total(OptimizerState.LEAN, level);
        var choice = choose(OptimizerChoice.AUTO, budget);
        assertEquals(OptimizerState.LEAN, choice.plan().optimizerState());
        assertEquals(choose(OptimizerChoice.LEAN, budget).policy(), choice.policy());
        assertEquals(choice.plan().totalBytes(TOKENS, choice.policy()), choice.totalBytes());
        assertTrue(choice.totalBytes() <= budget);
    }

    @Test
    void leanIsChosenWhereExactDoesNotFitAtAll() {
        long budget = total(OptimizerState.EXACT, ActivationLevel.INPUT) - 1;
        assertEquals(OptimizerState.LEAN, choose(OptimizerChoice.AUTO, budget).plan().optimizerState());
        var refusal = assertThrows(OutOfMemoryException.class, () -> choose(OptimizerChoice.EXACT, budget));
        assertTrue(refusal.getMessage().contains("exact optimiser state"), refusal.getMessage());
        assertThrows(OutOfMemoryException.class, () -> choose(OptimizerChoice.AUTO, total(OptimizerState.LEAN, ActivationLevel.INPUT) - 1));
    }

    @ParameterizedTest
    @EnumSource
    void aNamedStateIsKept(OptimizerState state) {
        assertEquals(state, choose(OptimizerChoice.of(state), 1L << 39).plan().optimizerState());
    }
}
