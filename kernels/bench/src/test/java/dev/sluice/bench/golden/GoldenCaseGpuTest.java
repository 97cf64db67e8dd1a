package dev.sluice.bench.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.sluice.bench.NamedBackend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.OracleCase;
import dev.sluice.model.evaluation.Evaluation;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.training.LoraTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Every family's golden case on every GPU backend: what transformers and peft compute in float32, as far as bf16 reaches.
/// The cases are in the folder `-Dsluice.golden=FOLDER`, which Maven sets. Skipped where there is no such GPU.
///
/// How far bf16 reaches is not a guess. The sums of the residual stream are rounded twice a layer, each time by at most 2^-9 of
/// them, and roundings are independent: the stream, and with it the logits, strays by about `2^-9 * sqrt(2 * layers)`. That is
/// the bound of a first loss and of a likelihood. A gradient is a product of rounded numbers, of the two passes and of both
/// factors, which makes its bound four times a loss's. Training doubles both: parameters stray as well. How much more it
/// amplifies depends on the case, on how close its router's ties are above all, so a curve may also stray twice as far as
/// transformers' own bf16 curve does.
class GoldenCaseGpuTest {
    private static final double UNIT_ROUNDOFF = 0x1p-9;
    static final int FACTORS = 4;
    /// A token whose router is nearly tied takes another expert in bf16, and its row strays further than all rows together:
    /// transformers' own bf16 rows by up to 1.8e-2 (`expected_bfloat16.json`).
    private static final double ROUTER_TIE = 0x1p-6;

    static Stream<Arguments> cases() throws IOException {
        List<Path> folders;
        try (var children = Files.list(golden())) {
            folders = children.filter(Files::isDirectory).sorted().toList();
        }
        assertTrue(folders.size() > 10, "golden cases in " + golden());
        return Stream.of("portable", "hopper").flatMap(backend -> folders.stream().map(folder -> Arguments.of(backend, folder)));
    }

    static Path golden() {
        return Path.of(Objects.requireNonNull(System.getProperty("sluice.golden"),
                "-Dsluice.golden=FOLDER should name kernels/model/src/test/resources/golden"));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void theCurveIsAsCloseToFloat32AsBfloat16Allows(String name, Path folder) throws IOException {
        var golden = OracleCase.read(folder);
        try (var backend = NamedBackend.open(name); var model = BaseModel.load(golden.model(), backend);
                var training = new LoraTraining(model, AdapterReader.read(model, golden.adapterInit()), golden.settings())) {
            double reach = reach(model);
            var faults = new ArrayList<String>();
            for (int step = 0; step < golden.steps(); step++) {
                var report = training.step(golden.window(step));
                int trained = step == 0 ? 1 : 2;
                check(faults, "loss of step " + step, golden.number("/steps/" + step + "/loss"), report.loss(),
                        Math.max(trained * reach, 2 * strays(golden, folder, "loss")));
                check(faults, "gradient norm of step " + step, golden.number("/steps/" + step + "/grad_norm"), report.gradNorm(),
                        Math.max(trained * FACTORS * reach, 2 * strays(golden, folder, "grad_norm")));
            }
            assertEquals(List.of(), faults);
        }
    }

    @ParameterizedTest
    @MethodSource("cases")
    void heldOutRowsScoreAsInFloat32(String name, Path folder) throws IOException {
        var golden = OracleCase.read(folder);
        try (var backend = NamedBackend.open(name); var model = BaseModel.load(golden.model(), backend);
                var evaluation = new Evaluation(model, null)) {
            var faults = new ArrayList<String>();
            double theirs = straysHeldOut(golden, folder);
            double expected = 0;
            double actual = 0;
            for (int i = 0; i < golden.heldout().size(); i++) {
                double exact = golden.number("/heldout_nll/base/" + i);
                double nll = evaluation.score(golden.heldout().get(i)).nll();
                check(faults, "likelihood of row " + i, exact, nll, Math.max(ROUTER_TIE, 2 * theirs));
                expected += exact;
                actual += nll;
            }
            check(faults, "likelihood of all rows", expected, actual, Math.max(reach(model), theirs));
            assertEquals(List.of(), faults);
        }
    }

    private static void check(List<String> faults, String what, double expected, double actual, double bound) {
        double error = distance(actual, expected);
        if (!(error <= bound)) {
            faults.add("%s is %.6f, in float32 %.6f: relative distance %.2e, allowed %.2e".formatted(what, actual, expected, error, bound));
        }
    }

    static double reach(BaseModel model) {
        return UNIT_ROUNDOFF * Math.sqrt(2 * model.config().layers());
    }

    /// The largest relative distance of transformers' bf16 curve from its float32 one; 0 where it was not recorded.
    static double strays(OracleCase golden, Path folder, String number) throws IOException {
        JsonNode steps = theirs(folder).path("steps");
        double largest = 0;
        for (int step = 0; step < steps.size(); step++) {
            largest = Math.max(largest, distance(steps.get(step).get(number).doubleValue(), golden.number("/steps/" + step + "/" + number)));
        }
        return largest;
    }

    /// The same of the base model's likelihoods of held-out rows.
    private static double straysHeldOut(OracleCase golden, Path folder) throws IOException {
        JsonNode rows = theirs(folder).path("heldout_nll").path("base");
        double largest = 0;
        for (int i = 0; i < rows.size(); i++) {
            largest = Math.max(largest, distance(rows.get(i).doubleValue(), golden.number("/heldout_nll/base/" + i)));
        }
        return largest;
    }

    private static JsonNode theirs(Path folder) throws IOException {
        Path file = folder.resolve("expected_bfloat16.json");
        return Files.exists(file) ? new ObjectMapper().readTree(file.toFile()) : MissingNode.getInstance();
    }

    private static double distance(double actual, double exact) {
        return Math.abs(actual - exact) / Math.abs(exact);
    }
}
