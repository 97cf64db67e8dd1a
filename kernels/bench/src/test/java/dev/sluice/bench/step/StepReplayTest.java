package dev.sluice.bench.step;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.bench.NamedBackend;
import dev.sluice.compute.Backend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.StepReport;
import dev.sluice.model.training.TrainingSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Replayed steps give the bits that single launches give. On GPUs; skipped without one, but for the CPU, which replays nothing.
class StepReplayTest {
    private static final String CONFIG = """
            {"model_type": "qwen3_moe", "vocab_size": 1000, "hidden_size": 256, "intermediate_size": 256, "moe_intermediate_size": 192,
             "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128, "num_experts": 8,
             "num_experts_per_tok": 2, "norm_topk_prob": true}
            """;
    private static final LoraSettings LORA = LoraSettings.of(16, 16, List.of("q_proj", "k_proj", "v_proj", "o_proj"),
            List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"));
    private static final int STEPS = 6;
    private static final int[] ONE_DOCUMENT = {0};
    private static final int[] THREE_DOCUMENTS = {0, 65, 66};

    @TempDir
    private Path folder;

    /// @param values of the adapter in the end
    private record Outcome(List<Double> losses, List<Double> norms, Adapter values, Map<String, Long> launches, long replayed) {}

    private Outcome train(Backend backend, boolean replay) {
        try (var model = BaseModel.random(folder, backend);
                var training = new LoraTraining(model, Adapter.create(model, LORA, 1), TrainingSettings.of(1e-3, Schedule.COSINE, 1, STEPS))) {
            training.proveFirstSteps();
            if (replay) {
                training.replaySteps();
            }
            Map<String, Long> before = Map.copyOf(backend.launches());
            List<StepReport> reports = IntStream.range(0, STEPS).mapToObj(step -> training.step(rows(step))).toList();
            var launches = new HashMap<>(backend.launches());
            before.forEach((name, count) -> launches.merge(name, -count, Long::sum));
            return new Outcome(reports.stream().map(StepReport::loss).toList(), reports.stream().map(StepReport::gradNorm).toList(),
                    training.adapter(), launches, training.replayed());
        }
    }

    /// Other tokens every step, and more or fewer of them trained, in micro-batches of two sizes.
    private static List<TokenRow> rows(int step) {
        return List.of(row(200, ONE_DOCUMENT, step), row(130, THREE_DOCUMENTS, step + 100));
    }

    private static TokenRow row(int tokens, int[] documents, int seed) {
        var random = new SplittableRandom(seed);
        boolean[] mask = new boolean[tokens];
        Arrays.fill(mask, random.nextInt(tokens / 2), tokens, true);
        return new TokenRow(random.ints(tokens, 0, 1000).toArray(), mask, documents);
    }

    private void assertSame(Outcome eager, Outcome replayed) {
        assertEquals(eager.losses, replayed.losses);
        assertEquals(eager.norms, replayed.norms);
        assertEquals(-1, eager.values.values().mismatch(replayed.values.values()));
        assertEquals(eager.launches, replayed.launches);
        assertEquals(0, eager.replayed);
    }

    @ParameterizedTest
    @ValueSource(strings = {"hopper", "portable"})
    void replayedStepsGiveTheSameBits(String name) throws IOException {
        try (var backend = NamedBackend.open(name)) {
            Files.writeString(folder.resolve("config.json"), CONFIG);
            var eager = train(backend, false);
            var replayed = train(backend, true);
            assertSame(eager, replayed);
            assertEquals(2L * (STEPS - 2), replayed.replayed);
            assertTrue(eager.launches.values().stream().anyMatch(count -> count > 0), eager.launches.toString());
        }
    }

    @Test
    void cpuRunsEveryStep() throws IOException {
        try (var backend = NamedBackend.open("cpu")) {
            Files.writeString(folder.resolve("config.json"), CONFIG);
            var replayed = train(backend, true);
            assertSame(train(backend, false), replayed);
            assertEquals(0, replayed.replayed);
        }
    }
}
