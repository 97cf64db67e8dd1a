package dev.sluice.bench.floor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.bench.step.ModelFolder;
import dev.sluice.compute.DType;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.config.Families;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The floors of one H200 (790 TFLOP/s, 4.3 TB/s), rank 16, one document, against figures worked out independently.
class StepFloorTest {
    private static final Ceiling H200 = Ceiling.ofTera(790, 4.3, "H200");

    static ModelShape shape(String model) {
        try (var folder = ModelFolder.named(model)) {
            return ShapeReader.read(Families.config(folder.path()));
        }
    }

    @ParameterizedTest
    @CsvSource({"1024,14.2,177,46.9", "2048,31.3,209,64.6", "4096,74.2,273,113.9", "8192,194.6,400,277.8", "16384,573.9,654,783.7",
        "32768,1886.6,1162,2497"})
    void qwen3(int tokens, double teraflop, double gigabytes, double milliseconds) {
        var step = StepFloor.of(shape("qwen3-30b-a3b"), tokens, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT);
        assertEquals(teraflop, step.stream().mapToDouble(Work::flops).sum() / 1e12, 0.051);
        assertEquals(gigabytes, step.stream().mapToDouble(Work::bytes).sum() / 1e9, 0.51);
        assertEquals(milliseconds, StepFloor.seconds(step, H200) * 1e3, tokens == 32768 ? 0.51 : 0.051);
    }

    @ParameterizedTest
    @CsvSource({"1024,30,48", "2048,46,71", "4096,93,133", "8192,199,332", "16384,455,945", "32768,1143,3032"})
    void gptOssAndGlm(int tokens, double gptOss, double glm) {
        assertEquals(gptOss, milliseconds("gpt-oss-20b", tokens), 0.51);
        assertEquals(glm, milliseconds("glm-4.7-flash", tokens), 0.51);
    }

    private static double milliseconds(String model, int tokens) {
        return StepFloor.seconds(StepFloor.of(shape(model), tokens, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT), H200) * 1e3;
    }

    /// GFLOP and MB of one of 48 layers at 4,096 tokens.
    @ParameterizedTest
    @CsvSource({"qkv,86.6,79.7", "attention,137,76", "o,69,84", "experts.gate_up,208,974", "experts.down,105,587",
        "'experts.down.backward, swiglu',104,671", "experts.gate_up.backward,208,1040", "attention.backward,344,152"})
    void kernelsOfALayer(String name, double gigaflop, double megabytes) {
        Work kernel = StepFloor.of(shape("qwen3-30b-a3b"), 4096, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT).stream().filter(work -> work.name().equals(name))
                .findFirst().orElseThrow();
        assertEquals(gigaflop, kernel.flops() / 48e9, 0.51);
        assertEquals(megabytes, kernel.bytes() / 48e6, 1);
    }

    @Test
    void adaptersHaveAsManyNumbersAsPeftCounts() {
        assertEquals(642_514_944, shape("qwen3-30b-a3b").loraParameters(Targets.ALL, 16));
        assertEquals(184_909_824, shape("gpt-oss-20b").loraParameters(Targets.ALL, 16));
        assertEquals(431_025_152, shape("glm-4.7-flash").loraParameters(Targets.ALL, 16));
    }

    @Test
    void denseModelsHaveNoExpertsAndGemmaAWindowInFiveLayersOfSix() {
        var gemma = shape("gemma-3-27b");
        assertEquals(52, gemma.windowedLayers());
        assertEquals(62, gemma.denseLayers());
        List<Work> step = StepFloor.of(gemma, 4096, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT);
        assertTrue(step.stream().noneMatch(work -> work.name().startsWith("experts")));
        assertTrue(step.stream().allMatch(work -> work.flops() >= 0 && work.bytes() >= 0), step.toString());
    }

    @Test
    void withoutAdaptersOnExpertsOnlyTheirProductsAreLeft() {
        var model = shape("gpt-oss-20b");
        assertEquals(7_962_624, model.loraParameters(Targets.ATTENTION, 16));
        List<String> experts = StepFloor.of(model, 4096, 1, Targets.ATTENTION, 16, DType.BFLOAT16, OptimizerState.EXACT).stream()
                .map(Work::name).filter(name -> name.startsWith("experts")).toList();
        assertEquals(List.of("experts.gate_up", "experts.down", "experts.down.backward, swiglu", "experts.gate_up.backward"), experts);
    }

    @ParameterizedTest
    @CsvSource({"4,1,0,10", "4,4,0,4", "4,2,0,6", "4,1,1,4", "4,1,2,7", "4,1,9,10"})
    void pairsAreThoseOfACausalMask(int tokens, int documents, int window, double pairs) {
        assertEquals(pairs, ModelShape.pairs(tokens, documents, window));
    }

    /// 8.03 bytes a parameter, read and written, instead of 16; and gradients of two bytes instead of four where they are made.
    @Test
    void leanStateHalvesTheOptimizersBytes() {
        var model = shape("qwen3-30b-a3b");
        List<Work> exact = StepFloor.of(model, 4096, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT);
        List<Work> lean = StepFloor.of(model, 4096, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.LEAN);
        assertEquals(32.0 * model.loraParameters(Targets.ALL, 16), exact.getLast().bytes());
        assertEquals(16.0625 * model.loraParameters(Targets.ALL, 16), lean.getLast().bytes(), 16);
        double saved = StepFloor.seconds(exact, H200) - StepFloor.seconds(lean, H200);
        assertEquals(2.8e-3, saved, 0.2e-3);
    }

    @Test
    void packedDocumentsCostLessAttentionOnly() {
        var model = shape("qwen3-30b-a3b");
        List<Work> one = StepFloor.of(model, 4096, 1, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT);
        List<Work> packed = StepFloor.of(model, 4096, 64, Targets.ALL, 16, DType.BFLOAT16, OptimizerState.EXACT);
        for (int i = 0; i < one.size(); i++) {
            assertEquals(one.get(i).name().equals("attention") || one.get(i).name().equals("attention.backward"),
                    packed.get(i).flops() < one.get(i).flops(), one.get(i).name());
            assertEquals(one.get(i).bytes(), packed.get(i).bytes());
        }
    }
}
