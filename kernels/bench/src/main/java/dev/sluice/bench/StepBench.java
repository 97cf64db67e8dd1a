package dev.sluice.bench;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.StepReport;
import dev.sluice.model.training.TrainingSettings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Whole training steps of a checkpoint, through the classes that the trainer uses: one sequence of random tokens, LoRA on attention
/// and experts. All contexts belong to one run, so memory figures are those of the largest so far.
@Command(name = "step", description = "Times training steps of a checkpoint folder.", mixinStandardHelpOptions = true)
final class StepBench implements Callable<Integer> {
    private static final List<String> MODULES = List.of("q_proj", "k_proj", "v_proj", "o_proj");
    private static final List<String> PARAMETERS = List.of("mlp.experts.gate_up_proj", "mlp.experts.down_proj");

    private static final String ROW = "%7d %10.2f %10.2f %10.2f %9.0f %9.3f %11.2f %11.5f %10.5f%n";
    private static final String LINE = "{\"ctx\":%d,\"ms\":%.2f,\"min_ms\":%.2f,\"max_ms\":%.2f,\"tok_s\":%.0f,\"step_gib\":%.3f,"
            + "\"used_gib\":%.2f,\"first_loss\":%.5f,\"last_loss\":%.5f}%n";

    @Option(names = "--model", required = true, description = "folder with config.json and safetensors files")
    private Path model;

    @Option(names = "--random", description = "random weights: the folder needs config.json only")
    private boolean random;

    @Option(names = "--json", description = "one JSON object a line instead of a table")
    private boolean json;

    @Option(names = "--backend", defaultValue = "auto", description = "auto, hopper, portable or cpu (default: ${DEFAULT-VALUE})")
    private String backend;

    @Option(names = "--contexts", split = ",", defaultValue = "1024,4096", description = "tokens of a step (default: ${DEFAULT-VALUE})")
    private List<Integer> contexts;

    @Option(names = "--rank", defaultValue = "16", description = "LoRA rank (default: ${DEFAULT-VALUE})")
    private int rank;

    @Option(names = "--warmup", defaultValue = "2", description = "steps before the measured ones (default: ${DEFAULT-VALUE})")
    private int warmup;

    @Option(names = "--steps", defaultValue = "5", description = "measured steps (default: ${DEFAULT-VALUE})")
    private int steps;

    @Option(names = "--learning-rate", defaultValue = "1e-4", description = "constant learning rate (default: ${DEFAULT-VALUE})")
    private double learningRate;

    @Option(names = "--losses", description = "print every step's loss and gradient norm")
    private boolean losses;

    @Override
    public Integer call() {
        var choice = Backends.installed().choose(backend);
        try (var chosen = choice.backend(); var base = open(chosen)) {
            System.out.println((json ? "# " : "") + choice.decision().description());
            System.out.println(json ? "# " + base.config().layers() + " layers"
                    : "context  median ms     min ms     max ms  tokens/s  step GiB  in use GiB  first loss  last loss");
            var adapter = Adapter.create(base, LoraSettings.of(rank, rank, MODULES, PARAMETERS), 1);
            var settings = TrainingSettings.of(learningRate, Schedule.CONSTANT, 0, (warmup + steps) * contexts.size());
            try (var training = new LoraTraining(base, adapter, settings)) {
                for (int context : contexts) {
                    run(chosen, training, row(context, base.config().vocabulary()));
                }
            }
        }
        return 0;
    }

    private BaseModel open(Backend chosen) {
        return random ? BaseModel.random(model, chosen) : BaseModel.load(model, chosen);
    }

    private void run(Backend chosen, LoraTraining training, TokenRow row) {
        var reports = new ArrayList<StepReport>();
        for (int i = 0; i < warmup + steps; i++) {
            reports.add(training.step(List.of(row)));
        }
        var memory = chosen.memory();
        print(row.tokens(), reports, training.peakStepBytes(), memory.totalBytes() - memory.freeBytes());
    }

    private static TokenRow row(int context, int vocabulary) {
        var random = new SplittableRandom(context);
        boolean[] mask = new boolean[context];
        Arrays.fill(mask, true);
        return TokenRow.of(random.ints(context, 0, vocabulary).toArray(), mask);
    }

    private void print(int context, List<StepReport> reports, long stepBytes, long usedBytes) {
        double[] times = reports.stream().skip(warmup).mapToDouble(StepReport::milliseconds).sorted().toArray();
        double median = times[times.length / 2];
        System.out.printf(Locale.ROOT, json ? LINE : ROW, context, median, times[0], times[times.length - 1], context / median * 1e3,
                stepBytes / 0x1p30, usedBytes / 0x1p30, reports.getFirst().loss(), reports.getLast().loss());
        if (losses) {
            reports.forEach(report -> System.out.printf(Locale.ROOT, "  step %d loss %.6f gradient norm %.6f%n", report.step(),
                    report.loss(), report.gradNorm()));
        }
    }
}
