package dev.sluice.model.evaluation;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.SyntheticModel;
import dev.sluice.model.Tensors;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.lora.LoraSite;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The split update must be the merged one: W + scale * B A written into a checkpoint, by plain loops.
class MergedWeightsTest {
    private static final int WIDTH = 20;
    private final SyntheticModel weights = SyntheticModel.sparse(5, 2, WIDTH);

    @Test
    void splitAdapterGivesTheLogitsOfMergedWeights(@TempDir Path folder) {
        Path base = SyntheticModel.sparse(5, 2, WIDTH).write(folder.resolve("base"));
        var settings = LoraSettings.of(3, 6, List.of(LoraSettings.ALL_LINEAR), List.of());
        int[] ids = new Random(2).ints(23, 0, 60).toArray();
        TokenRow row = new TokenRow(ids, new boolean[23], new int[] {0, 11});
        try (var backend = Golden.cpu(); var model = BaseModel.load(base, backend)) {
            Adapter adapter = random(Adapter.create(model, settings, 3));
            adapter.layout().sites().forEach(site -> merge(adapter, site));
            try (var merged = BaseModel.load(weights.write(folder.resolve("merged")), backend);
                    var split = new Evaluation(model, adapter); var whole = new Evaluation(merged, null);
                    var plain = new Evaluation(model, null)) {
                float[] expected = Tensors.flat(whole.logits(row));
                assertTrue(Tensors.relativeError(expected, Tensors.flat(split.logits(row))) < 1e-5);
                assertTrue(Tensors.relativeError(expected, Tensors.flat(plain.logits(row))) > 1e-2);
            }
        }
    }

    private static Adapter random(Adapter fresh) {
        MemorySegment values = Arena.ofAuto().allocate(fresh.values().byteSize(), Long.BYTES);
        var random = new Random(4);
        for (long i = 0; i < fresh.layout().size(); i++) {
            values.setAtIndex(ValueLayout.JAVA_FLOAT, i, 0.1f * (float) random.nextGaussian());
        }
        return fresh.withValues(values);
    }

    private void merge(Adapter adapter, LoraSite site) {
        for (int expert = 0; expert < site.experts(); expert++) {
            for (int row = 0; row < site.out(); row++) {
                for (int column = 0; column < site.in(); column++) {
                    add(site, expert, row, column, (float) (site.scale() * product(adapter, site, expert, row, column)));
                }
            }
        }
    }

    private static double product(Adapter adapter, LoraSite site, int expert, int row, int column) {
        double sum = 0;
        for (int j = 0; j < site.rank(); j++) {
            long a = site.offsetA() + ((long) expert * site.rank() + j) * site.in() + column;
            long b = site.offsetB() + ((long) expert * site.out() + row) * site.rank() + j;
            sum += (double) adapter.values().getAtIndex(ValueLayout.JAVA_FLOAT, a)
                    * adapter.values().getAtIndex(ValueLayout.JAVA_FLOAT, b);
        }
        return sum;
    }

    private void add(LoraSite site, int expert, int row, int column, float update) {
        String experts = "model.layers." + site.layer() + ".mlp.experts." + expert;
        switch (site.kind()) {
            case EXPERTS_GATE_UP -> weights.tensor(experts + (row < WIDTH ? ".gate_proj.weight" : ".up_proj.weight"))
                    [row % WIDTH * site.in() + column] += update;
            case EXPERTS_DOWN -> weights.tensor(experts + ".down_proj.weight")[row * site.in() + column] += update;
            case QUERY, KEY, VALUE, OUTPUT, QUERY_DOWN, QUERY_UP, KEY_VALUE_DOWN, KEY_VALUE_UP, GATE, UP, DOWN, SHARED_GATE,
                    SHARED_UP, SHARED_DOWN, HEAD ->
                    weights.tensor(site.name() + ".weight")[row * site.in() + column] += update;
        }
    }
}
