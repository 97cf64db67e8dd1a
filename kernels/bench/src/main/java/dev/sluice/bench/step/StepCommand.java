package dev.sluice.bench.step;

import dev.sluice.bench.BackendOption;
import dev.sluice.bench.Refusal;
import dev.sluice.bench.Report;
import dev.sluice.bench.floor.ShapeReader;
import dev.sluice.bench.machine.CeilingOption;
import dev.sluice.compute.Backend;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.model.BaseModel;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.config.Families;
import dev.sluice.model.json.JsonFields;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// Whole training steps, through the classes that the trainer uses: random tokens, all of them trained on, LoRA on attention and experts.
@Command(name = "step", description = "Times LoRA training steps of a model beside their roofline floor.", mixinStandardHelpOptions = true)
public final class StepCommand implements Callable<Integer> {
    @Option(names = "--model", required = true, description = "qwen3-30b-a3b, gpt-oss-20b, glm-4.7-flash, gemma-3-27b, a checkpoint folder, or a config.json")
    private String model;

    @Option(names = {"--random-weights", "--random"}, description = "do not read weights; so it is where there are none to read")
    private boolean random;

    @Option(names = "--layers", defaultValue = "0", description = "only the first so many layers (default: all)")
    private int layers;

    @Option(names = "--packing", paramLabel = "none|mxfp4", defaultValue = "NONE",
            description = "what random stacks of experts come packed in; --quantize packs what is left (default: none)")
    private StackPacking packing;

    @Option(names = "--json", description = "one JSON object a line instead of a table")
    private boolean json;

    @Mixin
    private StepOptions options;

    @Mixin
    private BackendOption backend;

    @Mixin
    private CeilingOption ceiling;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        options.check();
        if (layers < 0) {
            throw new Refusal("--layers should be at least 1, was " + layers);
        }
        try (var folder = ModelFolder.of(model, layers, packing)) {
            requireRandom(folder);
            var fields = Families.config(folder.path());
            requireImplemented(fields, folder);
            var choice = backend.open();
            try (Backend chosen = choice.backend()) {
                var limit = ceiling.of(chosen);
                var report = new Report(spec.commandLine().getOut(), json, choice);
                try (var base = load(folder, chosen)) {
                    report.head(StepResult.model(folder, base.config(), kept(folder)), Report.describe(limit), StepResult.HEAD);
                    return measure(new StepRun(base, options), new StepResult(folder.name(), kept(folder), base.config().layers(),
                            chosen.activationType(), options, ShapeReader.read(fields), limit), report);
                }
            }
        }
    }

    private void requireImplemented(JsonFields fields, ModelFolder folder) {
        try {
            Families.of(fields).read(fields);
        } catch (UnsupportedModelException e) {
            throw new Refusal("--model " + model + " cannot be trained yet: " + e.getMessage().replace(folder.path().toString(), model));
        }
    }

    private void requireRandom(ModelFolder folder) {
        if (packing != StackPacking.NONE && !weights(folder).equals("random")) {
            throw new Refusal("--packing " + packing.name().toLowerCase(Locale.ROOT) + " is for random weights, and " + model
                    + " has its own; add --random");
        }
    }

    private String weights(ModelFolder folder) {
        return random || !folder.weights() ? "random" : "checkpoint";
    }

    private String kept(ModelFolder folder) {
        return weights(folder) + switch (packing) {
            case NONE -> "";
            case MXFP4 -> ", MXFP4 experts";
        } + switch (options.quantization) {
            case NONE -> "";
            case NF4 -> ", NF4";
        };
    }

    private BaseModel load(ModelFolder folder, Backend chosen) {
        try {
            return weights(folder).equals("random") ? BaseModel.random(folder.path(), chosen, options.quantization)
                    : BaseModel.load(folder.path(), chosen, options.quantization);
        } catch (UnsupportedModelException e) {
            throw new Refusal("--quantize: " + e.getMessage());
        }
    }

    /// Contexts that do not fit are said to, and the others still measured.
    private int measure(StepRun run, StepResult result, Report report) {
        int refused = 0;
        for (int context : options.contexts) {
            try {
                var measured = run.measure(context);
                report.line(result.row(measured), result.json(measured));
            } catch (OutOfMemoryException e) {
                refused++;
                report.line(String.format(Locale.ROOT, "%7d  refused: %s", context, e.getMessage()), result.refused(context, e.getMessage()));
            }
        }
        return refused == 0 ? 0 : 1;
    }
}
