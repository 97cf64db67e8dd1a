package dev.sluice.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.compute.DType;
import dev.sluice.model.evaluation.Evaluation;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterExport;
import dev.sluice.model.peft.AdapterFormat;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.peft.AdapterWriter;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.StepReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Number for number what transformers and peft compute on the same checkpoint, adapter and token ids.
/// `-Dsluice.oracle.cases=FOLDER` adds every case in that folder.
class GoldenCaseTest {
    private static final double RELATIVE = 1e-4;
    private static Backend backend;

    @BeforeAll
    static void openBackend() {
        backend = Backends.installed().choose("cpu").backend();
    }

    @AfterAll
    static void closeBackend() {
        backend.close();
    }

    static Stream<Path> cases() throws IOException {
        Stream<Path> golden = folders(Path.of("src/test/resources/golden"));
        String more = System.getProperty("sluice.oracle.cases");
        return more == null ? golden : Stream.concat(golden, folders(Path.of(more)));
    }

    private static Stream<Path> folders(Path parent) throws IOException {
        try (var children = Files.list(parent)) {
            return children.filter(Files::isDirectory).sorted().toList().stream();
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void firstRowLogitsAgree(Path folder) {
        var golden = OracleCase.read(folder);
        try (var model = BaseModel.load(golden.model(), backend);
                var evaluation = new Evaluation(model, AdapterReader.read(model, golden.adapterInit()))) {
            float[][] logits = evaluation.logits(golden.train().getFirst());
            float[] expected = Tensors.read(golden.expectedFile("first_row_logits.safetensors")).get("logits");
            assertEquals(0, Tensors.relativeError(expected, Tensors.flat(logits)), RELATIVE);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void everyStepAndTheFinalAdapterAgree(Path folder, @TempDir Path out) {
        var golden = OracleCase.read(folder);
        try (var model = BaseModel.load(golden.model(), backend)) {
            Adapter trained = train(golden, model);
            AdapterWriter.write(trained, out, new AdapterExport(AdapterFormat.PEFT_3D, DType.FLOAT32, null));
            var expected = Tensors.read(golden.expectedFile("adapter").resolve("adapter_model.safetensors"));
            var actual = Tensors.read(out.resolve("adapter_model.safetensors"));
            expected.keySet().removeIf(name -> !name.contains(".lora_"));
            assertEquals(expected.keySet(), actual.keySet());
            expected.forEach((name, numbers) ->
                    assertEquals(0, Tensors.relativeError(numbers, actual.get(name)), 1e-3, name));
            assertHeldout(golden, model, null, "base");
            assertHeldout(golden, model, trained, "adapted");
        }
    }

    /// No document of a packed row hears another, whatever mixes its tokens.
    @ParameterizedTest
    @MethodSource("cases")
    void packedRowsScoreAsTheyDoAlone(Path folder) {
        var golden = OracleCase.read(folder);
        try (var model = BaseModel.load(golden.model(), backend);
                var evaluation = new Evaluation(model, AdapterReader.read(model, golden.adapterInit()))) {
            List<TokenRow> rows = golden.heldout();
            double alone = rows.stream().mapToDouble(row -> evaluation.score(row).nll()).sum();
            close(alone, evaluation.score(TokenRow.concatenate(rows)).nll(), "packed likelihood");
        }
    }

    private static Adapter train(OracleCase golden, BaseModel model) {
        try (var training = new LoraTraining(model, AdapterReader.read(model, golden.adapterInit()), golden.settings())) {
            for (int step = 0; step < golden.steps(); step++) {
                StepReport report = training.step(golden.window(step));
                close(golden.number("/steps/" + step + "/loss"), report.loss(), "loss of step " + step);
                close(golden.number("/steps/" + step + "/grad_norm"), report.gradNorm(), "gradient norm of step " + step);
                assertEquals(golden.number("/steps/" + step + "/trained_tokens"), report.trainedTokens());
            }
            return training.adapter();
        }
    }

    private static void assertHeldout(OracleCase golden, BaseModel model, Adapter adapter, String which) {
        try (var evaluation = new Evaluation(model, adapter)) {
            List<TokenRow> rows = golden.heldout();
            for (int i = 0; i < rows.size(); i++) {
                var score = evaluation.score(rows.get(i));
                close(golden.number("/heldout_nll/" + which + "/" + i), score.nll(), which + " likelihood of row " + i);
                assertEquals(golden.number("/heldout_nll/tokens/" + i), score.trainedTokens());
            }
        }
    }

    private static void close(double expected, double actual, String what) {
        assertEquals(expected, actual, RELATIVE * Math.abs(expected), what);
    }
}
