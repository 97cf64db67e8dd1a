package dev.sluice.model.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.OracleCase;
import dev.sluice.model.config.Families;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Expectations are what peft 0.21 over transformers 5.18 did with adapters of every family in both formats.
class PeftLoadingTest {
    private static final List<String> ATTENTION = List.of("q_proj", "o_proj");
    private static final List<String> GATE_UP = List.of("experts.gate_up_proj");
    private static final List<String> EXPERTS = List.of("experts.gate_up_proj", "experts.down_proj");
    private static final Set<String> SINGLE_EXPERTS = Set.of("qwen3_moe", "mixtral", "olmoe", "ernie4_5_moe", "glm4_moe",
            "glm4_moe_lite", "deepseek_v3", "deepseek_v32");

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void everyFamilysAdapterIsWrittenAsPeftLoadsIt(Path golden) {
        OracleCase files = OracleCase.read(golden);
        String type = Families.config(files.model()).text("model_type", "");
        try (var backend = Golden.cpu(); var model = BaseModel.load(files.model(), backend)) {
            Adapter adapter = AdapterReader.read(model, files.adapterInit());
            var peft = new PeftLoading(model.family(), adapter);
            boolean single = SINGLE_EXPERTS.contains(type);
            assertEquals(single ? AdapterFormat.PER_EXPERT : AdapterFormat.PEFT_3D, peft.format(), type);
            assertEquals(List.of(), peft.losses(peft.format()), type);
            boolean experts = adapter.layout().sites().stream().anyMatch(site -> site.kind().stacked());
            assertEquals(single || !experts, peft.losses(AdapterFormat.PER_EXPERT).isEmpty(), type);
        }
    }

    @Test
    void singleExpertsThatPeftPassesOverAreToldWithTheWayOut() {
        assertEquals(List.of("peft 0.21 over transformers 5 passes over single experts of gpt_oss; it loads peft-3d"),
                of("gpt-oss-bfloat16", LoraSettings.of(2, 4, ATTENTION, EXPERTS)).losses(AdapterFormat.PER_EXPERT));
    }

    @Test
    void attentionIsTheSameInBothFormats() {
        var peft = of("gpt-oss-bfloat16", LoraSettings.of(2, 4, ATTENTION, List.of()));
        assertEquals(List.of(), peft.losses(AdapterFormat.PER_EXPERT));
    }

    @Test
    void gateAndUpAloneAreWrittenAsStacks() {
        stacked(LoraSettings.of(2, 4, ATTENTION, GATE_UP), "where down is not adapted");
    }

    @Test
    void rankStabilisedGateAndUpAreWrittenAsStacks() {
        stacked(new LoraSettings(2, 4, ATTENTION, EXPERTS, true, Map.of(), Map.of()), "by sqrt(2) too much");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gate_up_proj", "experts.gate_up_proj", ".*\\.experts\\..*"})
    void gateAndUpOfTheirOwnRankOrAlphaAreWrittenAsStacks(String pattern) {
        stacked(new LoraSettings(2, 4, ATTENTION, EXPERTS, false, Map.of(pattern, 3), Map.of()), "no rank or alpha of their own");
        stacked(new LoraSettings(2, 4, ATTENTION, EXPERTS, false, Map.of(), Map.of(pattern, 3.0)), "no rank or alpha of their own");
    }

    @Test
    void downMayHaveItsOwnRankAlphaAndLayers() {
        single(new LoraSettings(2, 4, ATTENTION, EXPERTS, false, Map.of("experts.down_proj", 3), Map.of("experts.down_proj", 9.0)));
        single(new LoraSettings(2, 4, ATTENTION, List.of("experts.down_proj"), true, Map.of(), Map.of()));
    }

    @Test
    void linearLayersWhoseNamesPeftTakesForExpertsAreToldInEveryFormat() {
        var peft = of(Golden.DENSE_LAYERS, LoraSettings.of(2, 4, List.of(LoraSettings.ALL_LINEAR), List.of()));
        for (AdapterFormat format : AdapterFormat.values()) {
            assertTrue(peft.losses(format).getLast().contains("qwen3_moe's dense layers"), () -> peft.losses(format).toString());
        }
        assertEquals(List.of(), of("qwen3-vl-bfloat16", LoraSettings.of(2, 4, List.of(LoraSettings.ALL_LINEAR), List.of()))
                .losses(AdapterFormat.PEFT_3D));
    }

    private static void stacked(LoraSettings settings, String loss) {
        var peft = of(Golden.DENSE_LAYERS, settings);
        assertEquals(AdapterFormat.PEFT_3D, peft.format());
        assertEquals(List.of(), peft.losses(AdapterFormat.PEFT_3D));
        assertTrue(peft.losses(AdapterFormat.PER_EXPERT).getFirst().contains(loss), () -> peft.losses(AdapterFormat.PER_EXPERT).toString());
    }

    private static void single(LoraSettings settings) {
        var peft = of(Golden.DENSE_LAYERS, settings);
        assertEquals(AdapterFormat.PER_EXPERT, peft.format());
        assertEquals(List.of(), peft.losses(AdapterFormat.PER_EXPERT));
    }

    private static PeftLoading of(String golden, LoraSettings settings) {
        try (var backend = Golden.cpu(); var model = BaseModel.load(Golden.folder(golden).resolve("model"), backend)) {
            return new PeftLoading(model.family(), Adapter.create(model, settings, 1));
        }
    }
}
