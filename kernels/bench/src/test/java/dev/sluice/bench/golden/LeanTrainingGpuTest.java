package dev.sluice.bench.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.bench.NamedBackend;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.BaseModel;
import dev.sluice.model.OracleCase;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.training.LoraTraining;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Training with moments of one byte and bfloat16 gradients on GPUs. Skipped where there is no such GPU.
class LeanTrainingGpuTest {
    /// Whole blocks and aligned tensors round the bytes of a state up.
    private static final long ROUNDING = 32 << 10;

    @TempDir
    Path saved;

    @ParameterizedTest
    @MethodSource("dev.sluice.bench.golden.GoldenCaseGpuTest#cases")
    void resumedRunIsBitIdenticalToAnUninterruptedOne(String name, Path folder) {
        var golden = OracleCase.read(folder);
        var settings = golden.settings().withOptimizerState(OptimizerState.LEAN);
        try (var backend = NamedBackend.open(name); var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            try (var straight = new LoraTraining(model, start, settings)) {
                straight.step(golden.window(0));
                straight.step(golden.window(1 % golden.steps()));
                straight.save(saved.resolve("checkpoint"), "");
                double loss = straight.step(golden.window(2 % golden.steps())).loss();
                double norm = straight.step(golden.window(3 % golden.steps())).gradNorm();
                Adapter end = straight.adapter();
                straight.restore(saved.resolve("checkpoint"));
                assertEquals(loss, straight.step(golden.window(2 % golden.steps())).loss());
                assertEquals(norm, straight.step(golden.window(3 % golden.steps())).gradNorm());
                assertEquals(-1, end.values().mismatch(straight.adapter().values()));
            }
        }
    }

    /// Nothing is rounded before the first update but gradients, and those by less than what that update depends on.
    @ParameterizedTest
    @MethodSource("dev.sluice.bench.golden.GoldenCaseGpuTest#cases")
    void lossesBeginAsThoseOfExactStateInHalfTheBytes(String name, Path folder) {
        var golden = OracleCase.read(folder);
        try (var backend = NamedBackend.open(name); var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            long size = start.layout().size();
            double[] firsts = new double[OptimizerState.values().length];
            double[] losses = new double[OptimizerState.values().length];
            long[] bytes = new long[losses.length];
            for (var state : OptimizerState.values()) {
                try (var training = new LoraTraining(model, start, golden.settings().withOptimizerState(state))) {
                    firsts[state.ordinal()] = training.step(golden.window(0)).loss();
                    losses[state.ordinal()] = training.step(golden.window(0)).loss();
                    bytes[state.ordinal()] = training.peakBytes() - state.bytes(size, backend.activationType());
                }
            }
            assertEquals(firsts[0], firsts[1]);
            assertEquals(losses[0], losses[1], 0.01 * losses[0]);
            assertEquals(bytes[0], bytes[1], ROUNDING);
        }
    }
}
