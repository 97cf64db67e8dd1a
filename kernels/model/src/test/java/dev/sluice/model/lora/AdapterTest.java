package dev.sluice.model.lora;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.lora.LoraSite.Kind;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class AdapterTest {
    private static Backend backend;
    private static BaseModel model;
    private static BaseModel sparseOnly;

    @BeforeAll
    static void load() {
        backend = Golden.cpu();
        model = BaseModel.load(Golden.folder(Golden.DENSE_LAYERS).resolve("model"), backend);
        sparseOnly = BaseModel.load(Golden.folder(Golden.FP8).resolve("model"), backend);
    }

    @AfterAll
    static void close() {
        sparseOnly.close();
        model.close();
        backend.close();
    }

    @Test
    void freshAdapterIsUniformInAAndZeroInBAndReproducible() {
        var settings = LoraSettings.of(4, 8, List.of("q_proj"), List.of("mlp.experts.down_proj"));
        Adapter adapter = Adapter.create(model, settings, 7);
        assertEquals(-1, adapter.values().mismatch(Adapter.create(model, settings, 7).values()));
        assertTrue(adapter.values().mismatch(Adapter.create(model, settings, 8).values()) >= 0);
        for (LoraSite site : adapter.layout().sites()) {
            double bound = 1 / Math.sqrt(site.in());
            double squares = 0;
            for (long i = 0; i < site.elementsA(); i++) {
                float a = adapter.values().getAtIndex(ValueLayout.JAVA_FLOAT, site.offsetA() + i);
                assertTrue(Math.abs(a) <= bound);
                squares += (double) a * a;
            }
            assertEquals(bound * bound / 3, squares / site.elementsA(), bound * bound / 8);
            for (long i = 0; i < site.elementsB(); i++) {
                assertEquals(0f, adapter.values().getAtIndex(ValueLayout.JAVA_FLOAT, site.offsetB() + i));
            }
        }
    }

    @Test
    void patternsMatchTheEndOfANameAndTheFirstCounts() {
        var ranks = new LinkedHashMap<String, Integer>();
        ranks.put("layers\\.[12]\\.self_attn\\.q_proj", 2);
        ranks.put("self_attn.q_proj", 5);
        var settings = new LoraSettings(4, 8, List.of("q_proj", "v_proj"), List.of(), false, ranks,
                Map.of("v_proj", 3.0, "other.q_proj", 1.0));
        var layout = Adapter.create(model, settings, 1).layout();
        assertEquals(List.of(5, 2, 2, 5), ranks(layout, Kind.QUERY));
        assertEquals(List.of(4, 4, 4, 4), ranks(layout, Kind.VALUE));
        assertEquals(3.0 / 4, layout.find(3, Kind.VALUE).orElseThrow().scale());
        assertEquals(8.0 / 2, layout.find(1, Kind.QUERY).orElseThrow().scale());
    }

    @Test
    void rsloraScalesByTheRootOfTheRank() {
        var settings = new LoraSettings(4, 8, List.of("q_proj"), List.of(), true, Map.of(), Map.of());
        assertEquals(4.0, Adapter.create(model, settings, 1).layout().find(0, Kind.QUERY).orElseThrow().scale());
    }

    @Test
    void expertProjectionsNamedAsModulesMeanTheStacks() {
        var layout = Adapter.create(sparseOnly, LoraSettings.of(4, 8, List.of("gate_proj", "up_proj", "down_proj"), List.of()), 1).layout();
        assertEquals(List.of(8, 8), ranks(layout, Kind.EXPERTS_GATE_UP));
        assertEquals(List.of(4, 4), ranks(layout, Kind.EXPERTS_DOWN));
        assertEquals(2.0, layout.find(0, Kind.EXPERTS_GATE_UP).orElseThrow().scale());
        var half = LoraSettings.of(4, 8, List.of("gate_proj"), List.of());
        assertTrue(assertThrows(IllegalArgumentException.class, () -> Adapter.create(sparseOnly, half, 1)).getMessage()
                .contains("target both of them or neither"));
    }

    @Test
    void allLinearLeavesOutHeadAndRouter() {
        var layout = Adapter.create(model, LoraSettings.of(2, 4, List.of(LoraSettings.ALL_LINEAR), List.of()), 1).layout();
        assertEquals(4 * 4 + 3 * 3 + 2, layout.sites().size());
        assertTrue(layout.find(-1, Kind.HEAD).isEmpty());
    }

    @Test
    void targetsThatMatchNothingAreNamed() {
        var settings = LoraSettings.of(2, 4, List.of("q_proj", "qq_proj"), List.of());
        var refusal = assertThrows(IllegalArgumentException.class, () -> Adapter.create(model, settings, 1));
        assertTrue(refusal.getMessage().contains("targets [qq_proj] match nothing"), refusal.getMessage());
        assertTrue(refusal.getMessage().contains("self_attn.q_proj"), refusal.getMessage());
    }

    @Test
    void impossibleSettingsAreRefused() {
        assertThrows(IllegalArgumentException.class, () -> LoraSettings.of(0, 8, List.of("q_proj"), List.of()));
        assertThrows(IllegalArgumentException.class, () -> LoraSettings.of(4, Double.NaN, List.of("q_proj"), List.of()));
        assertThrows(IllegalArgumentException.class, () -> LoraSettings.of(4, 8, List.of(), List.of()));
    }

    private static List<Integer> ranks(AdapterLayout layout, Kind kind) {
        return layout.sites().stream().filter(site -> site.kind() == kind).map(LoraSite::rank).toList();
    }
}
