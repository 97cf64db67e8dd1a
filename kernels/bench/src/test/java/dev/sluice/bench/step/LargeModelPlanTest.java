package dev.sluice.bench.step;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.cuda.DryGpu;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.lora.LoraSettings;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Whole steps of a published model through the GPU backends' own code, without the GPU: every size of every launch is computed and
/// checked, and all memory counted.
class LargeModelPlanTest {
    private static final LoraSettings LORA = LoraSettings.of(16, 16, List.of("q_proj", "k_proj", "v_proj", "o_proj"),
            List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"));
    private static final int LONGEST = 131_072;

    private static MemoryPlan plan(ModelFolder model, Backend backend) {
        return MemoryPlan.ofShape(model.path(), backend, Quantization.NONE, LORA);
    }

    @Test
    void longestContextFitsOneGpuAndNoSizeOverflows() {
        try (var model = ModelFolder.named("qwen3-30b-a3b"); var hopper = DryGpu.hopper(); var portable = DryGpu.portable()) {
            for (Backend backend : List.of(hopper, portable)) {
                var plan = plan(model, backend);
                long usable = backend.memory().totalBytes() - (3L << 30);
                var choice = plan.choose(LONGEST, MemoryWish.AUTO, new MemoryStatus(backend.memory().totalBytes(), usable));
                assertTrue(choice.totalBytes() <= usable, choice.describe());
                assertTrue(choice.describe().contains("48 layers keep input, "), choice.describe());
                plan.stepBytes(LONGEST, plan.uniform(ActivationLevel.ALL));
            }
        }
    }

    /// What a level adds is known from the model's shape: 48 layers, 2048 wide, 32 and 4 heads of 128, 8 experts of 768 a token.
    @Test
    void everyLevelAddsWhatItsTensorsHold() {
        try (var model = ModelFolder.named("qwen3-30b-a3b"); var backend = DryGpu.hopper()) {
            var plan = plan(model, backend);
            int tokens = 4096;
            long perTokenAndLayer = 0;
            long input = plan.stepBytes(tokens, plan.uniform(ActivationLevel.INPUT));
            for (var level : List.of(ActivationLevel.ATTN, ActivationLevel.MID, ActivationLevel.QKV)) {
                perTokenAndLayer += switch (level) {
                    case ATTN -> 32 * 128 * 2 + 32 * 4;
                    case MID -> 2048 * 2;
                    case QKV -> (32 + 2 * 4) * 128 * 2;
                    case INPUT, ALL -> throw new AssertionError();
                };
                assertEquals(perTokenAndLayer, (plan.stepBytes(tokens, plan.uniform(level)) - input) / 48.0 / tokens, 200, level.toString());
            }
        }
    }
}
