package dev.sluice.bench.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.bench.NamedBackend;
import dev.sluice.compute.Backend;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.model.BaseModel;
import dev.sluice.model.OracleCase;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.TrainingSettings;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What must hold between two runs on a GPU, whatever their numbers are. Skipped where there is no such GPU.
class TrainingPropertiesGpuTest {
    private static final List<String> CASES = List.of("float32-dense-layers", "bfloat16-eleven-experts", "fp8-ragged-blocks",
            "gpt-oss-mxfp4", "deepseek-v3-fp8", "lfm2-bfloat16");
    private static final int STOPPED_AFTER = 2;
    private static final int REPETITIONS = 50;
    private static final int ROWS = 4;

    @TempDir
    Path folder;

    static Stream<Arguments> cases() {
        return Stream.of("portable", "hopper").flatMap(backend -> CASES.stream().map(golden -> Arguments.of(backend, golden)));
    }

    static Stream<Arguments> casesAndStates() {
        return cases().flatMap(one -> Stream.of(OptimizerState.values()).map(state -> Arguments.of(one.get()[0], one.get()[1], state)));
    }

    @ParameterizedTest
    @MethodSource("casesAndStates")
    void resumedRunIsBitIdenticalToAnUninterruptedOne(String name, String of, OptimizerState state) {
        try (var run = new Run(name, of)) {
            TrainingSettings settings = run.golden.settings().withOptimizerState(state);
            Adapter end;
            try (var training = run.start(settings)) {
                run.steps(training, 0, run.golden.steps());
                end = training.adapter();
            }
            try (var stopped = run.start(settings)) {
                run.steps(stopped, 0, STOPPED_AFTER);
                stopped.save(folder.resolve("checkpoint"), "row 8");
            }
            try (var resumed = new LoraTraining(run.model, end, settings)) {
                assertEquals("row 8", resumed.restore(folder.resolve("checkpoint")));
                assertEquals(STOPPED_AFTER, resumed.completedSteps());
                run.steps(resumed, STOPPED_AFTER, run.golden.steps());
                assertEquals(-1, end.values().mismatch(resumed.adapter().values()));
            }
        }
    }

    /// Rows behind one another fall into other tiles of the kernels, and so some numbers are rounded that were not, and the other
    /// way round. These are fewer than those that a pass in bf16 rounds and one in float32 does not: the bounds of a first step in
    /// [GoldenCaseGpuTest] bound them too. A token that saw a neighbour's would be no rounding: the same rows as one document
    /// move the gradient norm by 2 to 8 times the bound, on the CPU, except lfm2's, by a third of it.
    @ParameterizedTest
    @MethodSource("cases")
    void packedRowsTrainAsSeparateOnes(String name, String of) throws IOException {
        try (var run = new Run(name, of); var separate = run.start(run.golden.settings()); var packed = run.start(run.golden.settings())) {
            List<TokenRow> rows = run.golden.train().subList(0, ROWS);
            var one = separate.step(rows);
            var other = packed.step(List.of(TokenRow.concatenate(rows)));
            assertEquals(one.trainedTokens(), other.trainedTokens());
            assertEquals(one.loss(), other.loss(), one.loss() * run.bound("loss", 1));
            assertEquals(one.gradNorm(), other.gradNorm(), one.gradNorm() * run.bound("grad_norm", GoldenCaseGpuTest.FACTORS));
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void fiftyStepsFromOneStateGiveTheSameBits(String name, String of) {
        Path saved = folder.resolve("checkpoint");
        try (var run = new Run(name, of); var training = run.start(run.golden.settings())) {
            run.steps(training, 0, 1);
            training.save(saved, "");
            MemorySegment first = null;
            for (int repetition = 0; repetition < REPETITIONS; repetition++) {
                training.restore(saved);
                run.steps(training, 1, 2);
                MemorySegment values = training.adapter().values();
                first = first == null ? values : first;
                assertEquals(-1, first.mismatch(values), "repetition " + repetition);
            }
        }
    }

    /// A golden case's model and starting adapter on a backend.
    private static final class Run implements AutoCloseable {
        private final Path folder;
        private final OracleCase golden;
        private final Backend backend;
        private final BaseModel model;
        private final Adapter adapter;

        Run(String name, String of) {
            this.folder = GoldenCaseGpuTest.golden().resolve(of);
            this.golden = OracleCase.read(folder);
            this.backend = NamedBackend.open(name);
            this.model = BaseModel.load(golden.model(), backend);
            this.adapter = AdapterReader.read(model, golden.adapterInit());
        }

        LoraTraining start(TrainingSettings settings) {
            return new LoraTraining(model, adapter, settings);
        }

        void steps(LoraTraining training, int from, int to) {
            for (int step = from; step < to; step++) {
                training.step(golden.window(step));
            }
        }

        double bound(String number, int factors) throws IOException {
            return Math.max(factors * GoldenCaseGpuTest.reach(model), 2 * GoldenCaseGpuTest.strays(golden, folder, number));
        }

        @Override
        public void close() {
            model.close();
            backend.close();
        }
    }
}
