package dev.sluice.model.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.InvalidFileException;
import dev.sluice.model.OracleCase;
import dev.sluice.model.Quantization;
import dev.sluice.model.SyntheticModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.peft.AdapterReader;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What must hold between two runs, whatever their numbers are.
class TrainingPropertiesTest {
    private static final LoraSettings EVERYTHING = LoraSettings.of(4, 8, List.of("q_proj", "k_proj", "v_proj", "o_proj"),
            List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"));
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

    @ParameterizedTest
    @ValueSource(strings = {Golden.DENSE_LAYERS, Golden.ELEVEN_EXPERTS, Golden.FP8})
    void packedRowsTrainAsSeparateOnes(String name) {
        var golden = Golden.read(name);
        List<TokenRow> rows = golden.train().subList(0, 4);
        assertSameUpdate(golden, rows, List.of(TokenRow.concatenate(rows)));
    }

    @Test
    void accumulatingMicroBatchesIsOneLargeBatch() {
        var golden = Golden.read(Golden.ELEVEN_EXPERTS);
        List<TokenRow> rows = golden.train().subList(0, 6);
        List<TokenRow> pairs = List.of(TokenRow.concatenate(rows.subList(0, 2)), TokenRow.concatenate(rows.subList(2, 4)),
                TokenRow.concatenate(rows.subList(4, 6)));
        assertSameUpdate(golden, rows, pairs);
    }

    private static void assertSameUpdate(OracleCase golden, List<TokenRow> left, List<TokenRow> right) {
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var one = new LoraTraining(model, start, golden.settings());
                    var other = new LoraTraining(model, start, golden.settings())) {
                StepReport a = one.step(left);
                StepReport b = other.step(right);
                assertEquals(a.trainedTokens(), b.trainedTokens());
                assertEquals(a.loss(), b.loss(), 1e-5 * a.loss());
                assertEquals(a.gradNorm(), b.gradNorm(), 1e-5 * a.gradNorm());
                assertEquals(picks(a), picks(b));
            }
        }
    }

    private static List<String> picks(StepReport report) {
        return report.expertLoad().stream().map(load -> load.layer() + Arrays.toString(load.picks())).toList();
    }

    @Test
    void resumedRunIsBitIdenticalToAnUninterruptedOne() {
        var golden = Golden.read(Golden.DENSE_LAYERS);
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var straight = new LoraTraining(model, start, golden.settings());
                    var stopped = new LoraTraining(model, start, golden.settings())) {
                stopped.step(golden.window(0));
                stopped.step(golden.window(1));
                stopped.save(folder.resolve("checkpoint"), "offset 17");
                try (var resumed = new LoraTraining(model, Adapter.create(model, start.settings(), 9), golden.settings())) {
                    assertEquals("offset 17", resumed.restore(folder.resolve("checkpoint")));
                    assertEquals(2, resumed.completedSteps());
                    straight.step(golden.window(0));
                    straight.step(golden.window(1));
                    assertEquals(straight.step(golden.window(2)).loss(), resumed.step(golden.window(2)).loss());
                    assertEquals(straight.step(golden.window(3)).gradNorm(), resumed.step(golden.window(3)).gradNorm());
                    assertEquals(-1, straight.adapter().values().mismatch(resumed.adapter().values()));
                }
            }
        }
    }

    @Test
    void damagedOrForeignStateIsRefusedAndChangesNothing() throws IOException {
        var golden = Golden.read(Golden.DENSE_LAYERS);
        Path saved = folder.resolve("checkpoint");
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var training = new LoraTraining(model, start, golden.settings())) {
                training.step(golden.window(0));
                training.save(saved, "x");
                training.save(saved, "y");
                assertEquals("y", training.restore(saved));
                Adapter before = training.adapter();
                byte[] tensors = Files.readAllBytes(saved.resolve("state.safetensors"));
                tensors[tensors.length - 1] ^= 1;
                Files.write(saved.resolve("state.safetensors"), tensors);
                var refusal = assertThrows(InvalidFileException.class, () -> training.restore(saved));
                assertTrue(refusal.getMessage().contains("the file is damaged"), refusal.getMessage());
                assertEquals(-1, before.values().mismatch(training.adapter().values()));
            }
            try (var other = new LoraTraining(model, start, golden.settings().withWeightDecay(0.5))) {
                var refusal = assertThrows(InvalidFileException.class, () -> other.restore(saved));
                assertTrue(refusal.getMessage().contains("belongs to a run with other settings"), refusal.getMessage());
            }
        }
    }

    @Test
    void twoRunsGiveTheSameBits() {
        var golden = Golden.read(Golden.FP8);
        try (var model = BaseModel.load(golden.model(), backend)) {
            assertEquals(-1, trained(golden, model).values().mismatch(trained(golden, model).values()));
        }
    }

    private static Adapter trained(OracleCase golden, BaseModel model) {
        try (var training = new LoraTraining(model, AdapterReader.read(model, golden.adapterInit()), golden.settings())) {
            training.step(golden.window(0));
            training.step(golden.window(1));
            return training.adapter();
        }
    }

    @Test
    void everyTrainedMatrixMovesAndNothingElse() {
        var golden = Golden.read(Golden.ELEVEN_EXPERTS);
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            Adapter end = trained(golden, model);
            for (var site : start.layout().sites()) {
                for (long offset : new long[] {site.offsetA(), site.offsetB()}) {
                    long bytes = (offset == site.offsetA() ? site.elementsA() : site.elementsB()) * Float.BYTES;
                    assertTrue(start.values().asSlice(offset * Float.BYTES, bytes)
                            .mismatch(end.values().asSlice(offset * Float.BYTES, bytes)) >= 0, site.name());
                }
            }
            float[] numbers = end.values().toArray(ValueLayout.JAVA_FLOAT);
            var covered = new BitSet(numbers.length);
            start.layout().sites().forEach(site -> {
                covered.set((int) site.offsetA(), (int) (site.offsetA() + site.elementsA()));
                covered.set((int) site.offsetB(), (int) (site.offsetB() + site.elementsB()));
            });
            for (int gap = covered.nextClearBit(0); gap < numbers.length; gap = covered.nextClearBit(gap + 1)) {
                assertEquals(0f, numbers[gap]);
            }
        }
    }

    @Test
    void stepMemoryDoesNotGrowWithTheExpertWeights() {
        long few = peak(4);
        long many = peak(64);
        long stackBytes = 60L * 2 * 48 * 32 * Float.BYTES;
        assertTrue(many - few < stackBytes / 4, "64 experts take " + many + " bytes a step, 4 take " + few
                + ", one layer's further gate_up weights are " + stackBytes);
    }

    private long peak(int experts) {
        Path path = SyntheticModel.sparse(experts, 2, 48).write(folder.resolve("experts" + experts));
        TokenRow row = row(64);
        try (var model = BaseModel.load(path, backend);
                var training = new LoraTraining(model, Adapter.create(model, EVERYTHING, 1),
                        TrainingSettings.of(1e-3, Schedule.CONSTANT, 0, 10))) {
            training.step(List.of(row));
            var plan = MemoryPlan.of(path, backend, Quantization.NONE, EVERYTHING);
            assertTrue(training.peakBytes() >= training.peakStepBytes() + plan.adapterBytes(), "adapter and optimiser count");
            return training.peakStepBytes();
        }
    }

    @Test
    void nonFiniteLossIsReportedAndChangesNothing() {
        var synthetic = SyntheticModel.sparse(4, 2, 16);
        synthetic.tensor("model.embed_tokens.weight")[7 * 32] = Float.NaN;
        Path path = synthetic.write(folder.resolve("nan"));
        try (var model = BaseModel.load(path, backend)) {
            Adapter start = Adapter.create(model, EVERYTHING, 1);
            try (var training = new LoraTraining(model, start, TrainingSettings.of(1e-3, Schedule.CONSTANT, 0, 10))) {
                TokenRow poisoned = TokenRow.of(new int[] {1, 7, 3}, new boolean[] {true, true, true});
                var failure = assertThrows(NonFiniteLossException.class, () -> training.step(List.of(poisoned)));
                assertTrue(failure.getMessage().contains("step 1: loss NaN"), failure.getMessage());
                assertEquals(0, training.completedSteps());
                assertEquals(-1, start.values().mismatch(training.adapter().values()));
                TokenRow sound = TokenRow.of(new int[] {1, 2, 3}, new boolean[] {true, true, true});
                assertTrue(Double.isFinite(training.step(List.of(sound)).gradNorm()));
            }
        }
    }

    @Test
    void rowsThatCannotBeTrainedAreRefused() {
        Path path = SyntheticModel.sparse(4, 2, 16).write(folder.resolve("model"));
        try (var model = BaseModel.load(path, backend);
                var training = new LoraTraining(model, Adapter.create(model, EVERYTHING, 1),
                        TrainingSettings.of(1e-3, Schedule.CONSTANT, 0, 10))) {
            var masked = TokenRow.of(new int[] {1, 2}, new boolean[] {true, false});
            assertTrue(assertThrows(IllegalArgumentException.class, () -> training.step(List.of(masked))).getMessage()
                    .contains("none of the 1 rows has a token to train on"));
            var foreign = TokenRow.of(new int[] {1, 60}, new boolean[] {true, true});
            assertTrue(assertThrows(IllegalArgumentException.class, () -> training.step(List.of(foreign))).getMessage()
                    .contains("id 60 at index 1 is outside the model's vocabulary of 60"));
        }
    }

    @Test
    void expertLoadCountsEveryPick() {
        Path path = SyntheticModel.sparse(5, 2, 16).write(folder.resolve("model"));
        try (var model = BaseModel.load(path, backend);
                var training = new LoraTraining(model, Adapter.create(model, EVERYTHING, 1),
                        TrainingSettings.of(1e-3, Schedule.CONSTANT, 0, 10))) {
            var report = training.step(List.of(row(10), row(7)));
            assertEquals(2, report.expertLoad().size());
            report.expertLoad().forEach(load -> assertEquals(2 * 17, Arrays.stream(load.picks()).sum()));
            assertEquals(17, report.tokens());
        }
    }

    private static TokenRow row(int tokens) {
        int[] ids = new int[tokens];
        boolean[] mask = new boolean[tokens];
        for (int i = 0; i < tokens; i++) {
            ids[i] = i * 7 % 60;
            mask[i] = true;
        }
        return TokenRow.of(ids, mask);
    }
}
