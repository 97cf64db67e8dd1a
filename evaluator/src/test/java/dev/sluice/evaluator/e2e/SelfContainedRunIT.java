package dev.sluice.evaluator.e2e;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.sluice.cli.Sluice;
import dev.sluice.model.safetensors.ElementType;
import dev.sluice.model.safetensors.SafetensorsFile;
import dev.sluice.model.safetensors.TensorEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// One `./sluice train` run from files, held against what transformers and peft gave for the same files.
/// `expected.json` names their versions.
class SelfContainedRunIT {
    private static final double TOLERANCE = 1e-4;
    private static final ObjectMapper JSON = new ObjectMapper();
    @TempDir
    private static Path out;
    private static JsonNode expected;
    private static JsonNode run;

    @BeforeAll
    static void train() throws Exception {
        Path golden = Path.of(SelfContainedRunIT.class.getResource("/e2e/qwen3-moe-bfloat16").toURI());
        expected = JSON.readTree(golden.resolve("expected.json").toFile());
        int exit = Sluice.run("train", "--model", golden.resolve("model").toString(), "--data", golden.resolve("train.jsonl").toString(),
                "--heldout", golden.resolve("heldout.jsonl").toString(), "--init-adapter", golden.resolve("adapter-init").toString(),
                "--rank", "4", "--alpha", "8", "--target-modules", "q_proj,k_proj,v_proj,o_proj",
                "--target-parameters", "mlp.experts.gate_up_proj,mlp.experts.down_proj", "--learning-rate", "5e-3", "--schedule", "constant",
                "--warmup", "0", "--weight-decay", "0.01", "--clip", "1.0", "--accumulate", "2",
                "--steps", expected.at("/settings/steps").asText(), "--no-packing", "--no-shuffle", "--precision", "float32",
                "--backend", "cpu", "--adapter-format", "peft-3d", "--out", out.toString(),
                "--data-folder", out.resolve("no-pipeline-here").toString());
        assertEquals(0, exit);
        run = JSON.readTree(out.resolve("run.json").toFile());
    }

    @Test
    void tokenIdsAndMasksAreEqualRowByRow() throws Exception {
        var rows = Files.readAllLines(out.resolve("rows.jsonl"));
        assertEquals(expected.get("train").size(), rows.size());
        for (int i = 0; i < rows.size(); i++) {
            JsonNode row = JSON.readTree(rows.get(i));
            assertArrayEquals(ints(expected.at("/train/" + i + "/ids")), ints(row.get("ids")), "ids of row " + i);
            assertArrayEquals(ints(expected.at("/train/" + i + "/mask")), ints(row.get("mask")), "mask of row " + i);
        }
    }

    @Test
    void lossesAndGradientNormsAreEqualStepByStep() {
        assertEquals(expected.get("steps").size(), run.get("steps").size());
        for (int i = 0; i < run.get("steps").size(); i++) {
            assertClose(expected.at("/steps/" + i + "/loss"), run.at("/steps/" + i + "/loss"), "loss of step " + i);
            assertClose(expected.at("/steps/" + i + "/grad_norm"), run.at("/steps/" + i + "/grad_norm"), "gradient norm of step " + i);
            assertEquals(expected.at("/steps/" + i + "/trained_tokens").asLong(), run.at("/steps/" + i + "/trained_tokens").asLong());
        }
    }

    @Test
    void heldOutLikelihoodsAreEqualRowByRow() {
        var wanted = expected.get("heldout_nll");
        assertArrayEquals(ints(wanted.get("tokens")), ints(run.at("/heldout/tokens")));
        for (int i = 0; i < wanted.get("tokens").size(); i++) {
            assertClose(wanted.get("base").get(i), run.at("/heldout/base/" + i), "base likelihood of row " + i);
            assertClose(wanted.get("adapted").get(i), run.at("/heldout/adapted/" + i), "adapted likelihood of row " + i);
        }
    }

    @Test
    void theAdapterIsEqualTensorByTensor() throws Exception {
        Path golden = Path.of(SelfContainedRunIT.class.getResource("/e2e/qwen3-moe-bfloat16/expected/adapter_model.safetensors").toURI());
        try (var arena = Arena.ofConfined()) {
            var wanted = SafetensorsFile.open(golden, arena);
            var found = SafetensorsFile.open(out.resolve("adapter_model.safetensors"), arena);
            assertEquals(wanted.tensors().keySet(), found.tensors().keySet());
            for (var tensor : wanted.tensors().values()) {
                var actual = found.tensors().get(tensor.name());
                assertArrayEquals(tensor.shape(), actual.shape(), tensor.name());
                assertEquals(ElementType.F32, actual.type(), tensor.name());
                double error = relativeError(floats(wanted, tensor), floats(found, actual));
                assertTrue(error <= 1e-3, tensor.name() + " differs by " + error);
            }
        }
    }

    private static float[] floats(SafetensorsFile file, TensorEntry tensor) {
        return file.data(tensor).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }

    private static double relativeError(float[] wanted, float[] found) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < wanted.length; i++) {
            difference += Math.pow((double) found[i] - wanted[i], 2);
            norm += Math.pow(wanted[i], 2);
        }
        return Math.sqrt(difference / norm);
    }

    private static void assertClose(JsonNode wanted, JsonNode found, String what) {
        double relative = Math.abs(found.asDouble(Double.NaN) - wanted.asDouble()) / Math.abs(wanted.asDouble());
        assertTrue(relative <= TOLERANCE, what + " should be " + wanted + ", was " + found);
    }

    private static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
    }
}
