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
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.Adapter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What a step of every family must hold beside its numbers.
class FamilyStepTest {
    private static Backend backend;

    @BeforeAll
    static void open() {
        backend = Golden.cpu();
    }

    @AfterAll
    static void close() {
        backend.close();
    }

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void planCoversWhatEveryTokenTakesWhetherActivationsAreKeptOrNot(Path golden) {
        var oracle = OracleCase.read(golden);
        TokenRow shorter = Golden.tokens(oracle, 500);
        TokenRow longer = Golden.tokens(oracle, 1000);
        try (var model = BaseModel.load(oracle.model(), backend)) {
            Adapter start = Adapter.read(model, oracle.adapterInit());
            var norms = new HashSet<Double>();
            for (boolean again : new boolean[] {true, false}) {
                var policy = ActivationPolicy.uniform(again ? ActivationLevel.INPUT : ActivationLevel.ALL, model.config().layers());
                try (var one = new LoraTraining(model, start, oracle.settings(), policy);
                        var other = new LoraTraining(model, start, oracle.settings(), policy)) {
                    norms.add(one.step(List.of(shorter)).gradNorm());
                    other.step(List.of(longer));
                    long planned = MemoryPlan.of(oracle.model(), backend, Quantization.NONE, start.settings(), again).bytesPerToken()
                            * (longer.tokens() - shorter.tokens());
                    long taken = other.peakStepBytes() - one.peakStepBytes();
                    assertTrue(taken <= planned, "computed again: " + again + ", taken " + taken + ", planned " + planned);
                    assertTrue(taken > planned / 2, "computed again: " + again + ", taken " + taken + ", planned " + planned);
                }
            }
            assertEquals(1, norms.size(), "gradient norms " + norms);
        }
    }

    @ParameterizedTest
    @MethodSource("dev.sluice.model.GoldenCaseTest#cases")
    void packedRowsTrainAsSeparateOnes(Path golden) {
        var oracle = OracleCase.read(golden);
        List<TokenRow> rows = oracle.train().subList(0, 3);
        try (var model = BaseModel.load(oracle.model(), backend)) {
            Adapter start = Adapter.read(model, oracle.adapterInit());
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
            Adapter start = Adapter.read(model, oracle.adapterInit());
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
