package dev.sluice.model.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

class UnreadTensorsTest {
    private static final Set<String> READ = Set.of("model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight",
            "model.layers.1.self_attn.q_proj.weight");

    @Test
    void extraLayersIndexersAndTowersAreNamedAsWholes() {
        var stored = new HashSet<>(READ);
        stored.addAll(Set.of("model.layers.2.self_attn.q_proj.weight", "model.layers.2.eh_proj.weight", "model.visual.blocks.0.norm.weight",
                "model.layers.0.self_attn.indexer.wk.weight", "model.layers.1.self_attn.indexer.wk.weight"));
        assertEquals("model.layers.*.self_attn.indexer (2 tensors), model.layers.2 (2 tensors), model.visual (1 tensor)",
                UnreadTensors.describe(stored, READ));
    }

    @Test
    void oneTensorOfAModuleThatIsReadIsNamedByItself() {
        var stored = new HashSet<>(READ);
        stored.add("model.layers.1.self_attn.q_proj.bias");
        assertEquals("model.layers.*.self_attn.q_proj.bias (1 tensor)", UnreadTensors.describe(stored, READ));
    }

    @Test
    void nothingIsSaidWhereAllIsRead() {
        assertEquals("", UnreadTensors.describe(READ, READ));
    }
}
