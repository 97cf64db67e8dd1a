package dev.sluice.model.training;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Backend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.Golden;
import dev.sluice.model.OracleCase;
import dev.sluice.model.Quantization;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What a step of every family must hold beside its numbers.
class FamilyStepTest {
    /// Bytes that further documents in a micro-batch may take.
    private static final long MARGIN = 4096;

    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    /// Planned is as if every token was trained on and every expert's rows were as unevenly spread as can be.
    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void planIsWhatAStepTakesAtEveryLevel(Path golden) {
        var oracle = OracleCase.read(golden);
        TokenRow row = Golden.tokens(oracle, 1000);
        try (var model = BaseModel.load(oracle.model(), backend)) {
            Adapter start = AdapterReader.read(model, oracle.adapterInit());
            var plan = MemoryPlan.of(oracle.model(), backend, Quantization.NONE, start.settings());
            for (var level : ActivationLevel.values()) {
                try (var training = new LoraTraining(model, start, oracle.settings(), plan.uniform(level))) {
                    training.step(List.of(row));
                    long planned = plan.stepBytes(row.tokens(), plan.uniform(level));
                    long taken = training.peakStepBytes();
                    assertTrue(taken <= planned + MARGIN, level + ": taken " + taken + ", planned " + planned);
                    assertTrue(planned <= 1.1 * taken, level + ": taken " + taken + ", planned " + planned);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void packedRowsTrainAsSeparateOnes(Path golden) {
        var oracle = OracleCase.read(golden);
        List<TokenRow> rows = oracle.train().subList(0, 3);
        try (var model = BaseModel.load(oracle.model(), backend)) {
            Adapter start = AdapterReader.read(model, oracle.adapterInit());
            try (var one = new LoraTraining(model, start, oracle.settings()); var other = new LoraTraining(model, start, oracle.settings())) {
                StepReport alone = one.step(rows);
                StepReport packed = other.step(List.of(TokenRow.concatenate(rows)));
                assertEquals(alone.loss(), packed.loss(), 1e-5 * alone.loss());
                assertEquals(alone.gradNorm(), packed.gradNorm(), 1e-4 * alone.gradNorm());
            }
        }
    }

    /// A sliding window is a range of keys, never a mask: twice the document takes twice the memory.
    @Test
    void memoryOfGemmaGrowsLinearlyWithTheDocument() {
        var oracle = Golden.read("gemma3-bfloat16");
        try (var model = BaseModel.load(oracle.model(), backend)) {
            Adapter start = AdapterReader.read(model, oracle.adapterInit());
            long[] peaks = {1024, 2048, 4096};
            for (int i = 0; i < peaks.length; i++) {
                int[] ids = new int[(int) peaks[i]];
                boolean[] mask = new boolean[ids.length];
                Arrays.setAll(ids, token -> token % 390);
                mask[ids.length - 1] = true;
                try (var training = new LoraTraining(model, start, oracle.settings())) {
                    training.step(List.of(TokenRow.of(ids, mask)));
                    peaks[i] = training.peakStepBytes();
                }
            }
            double growth = (double) (peaks[2] - peaks[1]) / (peaks[1] - peaks[0]);
            assertEquals(2, growth, 0.05, Arrays.toString(peaks));
        }
    }
}
