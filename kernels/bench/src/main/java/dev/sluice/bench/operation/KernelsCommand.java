package dev.sluice.bench.operation;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.bench.BackendOption;
import dev.sluice.bench.Refusal;
import dev.sluice.bench.Report;
import dev.sluice.bench.floor.Ceiling;
import dev.sluice.bench.floor.ModelShape;
import dev.sluice.bench.floor.ShapeReader;
import dev.sluice.bench.floor.Work;
import dev.sluice.bench.machine.Cache;
import dev.sluice.bench.machine.CeilingOption;
import dev.sluice.bench.operation.Stopwatch.Timing;
import dev.sluice.bench.step.ModelFolder;
import dev.sluice.compute.Backend;
import dev.sluice.model.config.Families;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Operations one by one.
@Command(name = "kernels", description = "Times each operation at the shapes of a model's layer, head and optimiser, beside its floor.",
        mixinStandardHelpOptions = true)
public final class KernelsCommand implements Callable<Integer> {
    private static final String HEAD = " tokens  operation                    median ms     min ms     max ms   GFLOP/s      GB/s   floor ms  floor/ms  sets";

    @Option(names = "--model", defaultValue = "qwen3-30b-a3b", description = "as for step; only config.json is read (default: ${DEFAULT-VALUE})")
    private String model;

    @Option(names = "--tokens", split = ",", defaultValue = "1024,4096", description = "token counts (default: ${DEFAULT-VALUE})")
    private List<Integer> tokens;

    @Option(names = "--rank", defaultValue = "16", description = "LoRA rank (default: ${DEFAULT-VALUE})")
    private int rank;

    @Option(names = "--only", defaultValue = "", description = "operations whose name contains this")
    private String only;

    @Option(names = "--cache-mib", description = "size of the cache to get past (default: as known)")
    private Long cacheMib;

    @Option(names = "--json", description = "one JSON object a line instead of a table")
    private boolean json;

    @Mixin
    private BackendOption backend;

    @Mixin
    private CeilingOption ceiling;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (rank < 1 || tokens.stream().anyMatch(count -> count < 1)) {
            throw new Refusal("--rank and --tokens should be at least 1, were " + rank + " and " + tokens);
        }
        try (var folder = ModelFolder.named(model)) {
            ModelShape shape = ShapeReader.read(Families.config(folder.path()));
            if (shape.experts() == 0) {
                throw new Refusal("--model " + model + " has no experts; these operations are those of layers with experts");
            }
            var choice = backend.open();
            try (Backend chosen = choice.backend()) {
                Ceiling limit = ceiling.of(chosen);
                var report = new Report(spec.commandLine().getOut(), json, choice);
                report.head("shapes: " + model + ", rank " + rank, Report.describe(limit), HEAD);
                var stopwatch = new Stopwatch(chosen, cacheMib == null ? Cache.bytes(chosen) : cacheMib << 20);
                for (int count : tokens) {
                    operations(chosen, shape, count).forEach(one -> report(report, count, one.work(), stopwatch.time(one), limit));
                }
            }
        }
        return 0;
    }

    private Stream<Operation> operations(Backend chosen, ModelShape shape, int count) {
        return Stream.of(new ExpertOperations(chosen, shape, count, rank).all(), new AttentionOperations(chosen, shape, count, rank).all(),
                new OtherOperations(chosen, shape, count, rank).all()).flatMap(List::stream).filter(one -> one.work().name().contains(only));
    }

    private void report(Report report, int count, Work work, Timing timing, Ceiling limit) {
        double median = timing.time().median();
        double floor = work.seconds(limit) * 1e3;
        String row = String.format(Locale.ROOT, "%7d  %-27s %10.4f %10.4f %10.4f %9.1f %9.1f %10.4f %8.1f%%  %4d", count, work.name(), median,
                timing.time().min(), timing.time().max(), work.flops() / median / 1e6, work.bytes() / median / 1e6, floor, 100 * floor / median,
                timing.copies());
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        object.put("model", model).put("rank", rank).put("operation", work.name()).put("tokens", count);
        object.put("ms", Report.rounded(median)).put("min_ms", Report.rounded(timing.time().min())).put("max_ms", Report.rounded(timing.time().max()));
        object.put("gflop_s", Report.rounded(work.flops() / median / 1e6)).put("gb_s", Report.rounded(work.bytes() / median / 1e6));
        object.put("floor_ms", Report.rounded(floor)).put("floor_share", Report.rounded(floor / median)).put("sets", timing.copies());
        Report.put(object, limit);
        report.line(row, object);
    }
}
