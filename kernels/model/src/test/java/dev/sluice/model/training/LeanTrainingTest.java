package dev.sluice.model.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.OracleCase;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Training with moments of one byte.
class LeanTrainingTest {
    private static final int STEPS = 48;
    private static Backend backend;

    @TempDir
    Path folder;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    private static TrainingSettings settings(OracleCase golden, OptimizerState state) {
        return golden.settings().withOptimizerState(state);
    }

    @ParameterizedTest
    @ValueSource(strings = {Golden.DENSE_LAYERS, Golden.ELEVEN_EXPERTS})
    void lossesFollowThoseOfExactState(String name) {
        var golden = Golden.read(name);
        double[] exact = losses(golden, OptimizerState.EXACT);
        double[] lean = losses(golden, OptimizerState.LEAN);
        int last = STEPS - golden.steps();
        assertTrue(exact[last] < 0.9 * exact[0], "losses fell from " + exact[0] + " to " + exact[last] + " only");
        for (int step = 0; step < STEPS; step++) {
            assertEquals(exact[step], lean[step], 0.01 * exact[step], "loss of step " + step);
        }
        assertNotEquals(exact[STEPS - 1], lean[STEPS - 1], "the same number would be exact state twice");
    }

    private static double[] losses(OracleCase golden, OptimizerState state) {
        try (var model = BaseModel.load(golden.model(), backend);
                var training = new LoraTraining(model, AdapterReader.read(model, golden.adapterInit()), settings(golden, state))) {
            double[] losses = new double[STEPS];
            for (int step = 0; step < STEPS; step++) {
                losses[step] = training.step(golden.window(step % golden.steps())).loss();
            }
            return losses;
        }
    }

    @Test
    void resumedRunIsBitIdenticalToAnUninterruptedOne() {
        var golden = Golden.read(Golden.ELEVEN_EXPERTS);
        var settings = settings(golden, OptimizerState.LEAN);
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var straight = new LoraTraining(model, start, settings);
                    var resumed = new LoraTraining(model, Adapter.create(model, start.settings(), 9), settings)) {
                straight.step(golden.window(0));
                straight.step(golden.window(1));
                straight.save(folder.resolve("checkpoint"), "offset 17");
                assertEquals("offset 17", resumed.restore(folder.resolve("checkpoint")));
                for (int window : new int[] {2, 3, 0}) {
                    assertEquals(straight.step(golden.window(window)).loss(), resumed.step(golden.window(window)).loss());
                }
                assertEquals(-1, straight.adapter().values().mismatch(resumed.adapter().values()));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void stateOfTheOtherKindIsRefused(OptimizerState kept) {
        var golden = Golden.read(Golden.DENSE_LAYERS);
        OptimizerState other = kept == OptimizerState.EXACT ? OptimizerState.LEAN : OptimizerState.EXACT;
        Path saved = folder.resolve("checkpoint");
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var training = new LoraTraining(model, start, settings(golden, kept))) {
                training.step(golden.window(0));
                training.save(saved, "");
                assertEquals(kept, LoraTraining.savedOptimizerState(saved.resolve(LoraTraining.COUNTERS)));
            }
            try (var training = new LoraTraining(model, start, settings(golden, other))) {
                var refusal = assertThrows(InvalidFileException.class, () -> training.restore(saved));
                String had = kept.name().toLowerCase();
                assertTrue(refusal.getMessage().contains("it holds " + had + " optimizer state, the run has "
                        + other.name().toLowerCase() + "; go on with optimizer_state " + had), refusal.getMessage());
                assertEquals(-1, start.values().mismatch(training.adapter().values()));
            }
        }
    }

    /// 4 + 4 + 8 bytes a parameter, or 4 + 4 + 2 and two scales a block.
    @Test
    void leanStateTakesSixBytesLessThanExact() {
        var golden = Golden.read(Golden.ELEVEN_EXPERTS);
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var exact = new LoraTraining(model, start, settings(golden, OptimizerState.EXACT));
                    var lean = new LoraTraining(model, start, settings(golden, OptimizerState.LEAN))) {
                long size = start.layout().size();
                double saved = (exact.peakBytes() - lean.peakBytes()) / (double) size;
                assertEquals(6 - 8.0 / OptimizerState.BLOCK, saved, 0.05, size + " parameters");
            }
        }
    }
}
