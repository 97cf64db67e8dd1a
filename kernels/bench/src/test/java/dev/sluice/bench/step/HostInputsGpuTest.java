package dev.sluice.bench.step;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.bench.NamedBackend;
import dev.sluice.compute.Backend;
import dev.sluice.compute.Offload;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.StepReport;
import dev.sluice.model.training.TrainingSettings;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Inputs large enough that copies take about as long as layers: one that is not in order with the layers beside it changes bits. Skipped
/// where there is no such GPU.
class HostInputsGpuTest {
    private static final int LAYERS = 10;
    private static final int HIDDEN = 2048;
    private static final String CONFIG = """
            {"model_type": "qwen3_moe", "vocab_size": 1000, "hidden_size": %d, "intermediate_size": 256, "moe_intermediate_size": 192,
             "num_hidden_layers": %d, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 128, "num_experts": 8,
             "num_experts_per_tok": 2, "norm_topk_prob": true}
            """.formatted(HIDDEN, LAYERS);
    private static final LoraSettings LORA = LoraSettings.of(16, 16, List.of("q_proj", "k_proj", "v_proj", "o_proj"),
            List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj"));
    /// Slots grow with the second micro-batch.
    private static final int[] TOKENS = {1500, 4000, 130};
    private static final int STEPS = 4;

    @TempDir
    private Path folder;

    private record Outcome(List<Double> losses, List<Double> norms, MemorySegment adapter, long hostBytes, long replayed) {}

    private Outcome train(Backend backend, List<ActivationLevel> levels) {
        try (var model = BaseModel.random(folder, backend);
                var training = new LoraTraining(model, Adapter.create(model, LORA, 1), TrainingSettings.of(1e-3, Schedule.COSINE, 1, STEPS),
                        new ActivationPolicy(levels))) {
            training.replaySteps();
            List<StepReport> reports = IntStream.range(0, STEPS).mapToObj(step -> training.step(rows(step))).toList();
            return new Outcome(reports.stream().map(StepReport::loss).toList(), reports.stream().map(StepReport::gradNorm).toList(),
                    training.adapter().values(), training.hostBytes(), training.replayed());
        }
    }

    private static List<TokenRow> rows(int step) {
        return Arrays.stream(TOKENS).mapToObj(tokens -> {
            boolean[] mask = new boolean[tokens];
            Arrays.fill(mask, true);
            return TokenRow.of(new SplittableRandom(step).ints(tokens, 0, 1000).toArray(), mask);
        }).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"hopper", "portable"})
    void copiesKeepTheirOrderBesideTheLayers(String name) throws IOException {
        Files.writeString(folder.resolve("config.json"), CONFIG);
        try (var backend = NamedBackend.open(name)) {
            var input = train(backend, Collections.nCopies(LAYERS, ActivationLevel.INPUT));
            assertEquals(0, input.hostBytes);
            assertTrue(input.replayed > 0);
            for (int every : new int[] {1, 2, 3}) {
                var host = train(backend, IntStream.range(0, LAYERS).mapToObj(layer ->
                        layer % every == 0 ? ActivationLevel.HOST : ActivationLevel.ATTN).toList());
                assertEquals(input.losses, host.losses, "every layer of " + every);
                assertEquals(input.norms, host.norms, "every layer of " + every);
                assertEquals(-1, input.adapter.mismatch(host.adapter), "every layer of " + every);
                assertEquals(Math.ceilDiv(LAYERS, every) * Offload.capacity(4000L * HIDDEN * 2), host.hostBytes);
                assertEquals(0, host.replayed);
            }
        }
    }
}
