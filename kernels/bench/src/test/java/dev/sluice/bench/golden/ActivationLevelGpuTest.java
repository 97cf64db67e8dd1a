package dev.sluice.bench.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.sluice.bench.NamedBackend;
import dev.sluice.model.BaseModel;
import dev.sluice.model.OracleCase;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.peft.AdapterReader;
import dev.sluice.model.training.LoraTraining;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What layers keep decides time and memory on GPUs too and nothing else, and a step takes what its dry run measured. Skipped where
/// there is no such GPU.
class ActivationLevelGpuTest {
    /// Bytes that further documents in a row may take.
    private static final long MARGIN = 4096;

    private record Outcome(List<Double> numbers, MemorySegment adapter) {}

    @ParameterizedTest
    @MethodSource("dev.sluice.bench.golden.GoldenCaseGpuTest#cases")
    void everyLevelTrainsTheSameBitsInThePlannedMemory(String name, Path folder) {
        var golden = OracleCase.read(folder);
        List<TokenRow> rows = golden.window(0);
        try (var backend = NamedBackend.open(name); var model = BaseModel.load(golden.model(), backend)) {
            Adapter start = AdapterReader.read(model, golden.adapterInit());
            var plan = MemoryPlan.of(model, start.settings());
            Outcome first = null;
            for (var level : ActivationLevel.values()) {
                ActivationPolicy policy = plan.uniform(level);
                try (var training = new LoraTraining(model, start, golden.settings(), policy)) {
                    var report = training.step(rows);
                    var outcome = new Outcome(List.of(report.loss(), report.gradNorm()), training.adapter().values());
                    first = first == null ? outcome : first;
                    assertEquals(first.numbers, outcome.numbers, level.toString());
                    assertEquals(-1, first.adapter.mismatch(outcome.adapter), level.toString());
                    long planned = rows.stream().mapToLong(row -> plan.stepBytes(row.tokens(), policy)).max().orElseThrow();
                    assertEquals(planned, training.peakStepBytes(), MARGIN, level.toString());
                    int longest = rows.stream().mapToInt(TokenRow::tokens).max().orElseThrow();
                    assertEquals(plan.hostBytes(longest, policy), training.hostBytes(), level.toString());
                    assertEquals(level == ActivationLevel.HOST, training.hostBytes() > 0, level.toString());
                }
            }
        }
    }
}
