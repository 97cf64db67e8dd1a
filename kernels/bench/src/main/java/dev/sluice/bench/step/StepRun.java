package dev.sluice.bench.step;

import dev.sluice.bench.machine.HostMemory;
import dev.sluice.bench.machine.Spread;
import dev.sluice.compute.DType;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.ActivationLevel;
import dev.sluice.model.decoder.ActivationPolicy;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.AdaptableModule;
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
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Measures training steps of a loaded model, each context with a fresh optimiser.
final class StepRun {
    /// What the trainer gives to kept activations.
    private static final double GENEROUS_SHARE = 0.5;

    private final BaseModel base;
    private final StepOptions options;
    private final Adapter adapter;

    StepRun(BaseModel base, StepOptions options) {
        this.base = base;
        this.options = options;
        this.adapter = Adapter.create(base, targets(base, options.rank), 1);
    }

    /// Every projection of the attention blocks, and both expert stacks.
    private static LoraSettings targets(BaseModel base, int rank) {
        var modules = new ArrayList<String>();
        var stacks = new ArrayList<String>();
        for (var module : AdaptableModule.all(base.config(), base.names())) {
            String name = module.name();
            if (module.kind().stacked()) {
                stacks.add(name.substring(base.names().inLayer(module.layer(), "").length()));
            } else if (name.contains("self_attn.")) {
                modules.add(name.substring(name.lastIndexOf('.') + 1));
            }
        }
        return LoraSettings.of(rank, rank, modules.stream().distinct().toList(), stacks.stream().distinct().toList());
    }

    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers if the plan or the run itself does not fit
    Measured measure(Path folder, int context) {
        boolean checkpointing = checkpointing(folder, context);
        var settings = TrainingSettings.of(options.learningRate, Schedule.CONSTANT, 0, options.warmup + options.steps);
        var policy = ActivationPolicy.uniform(checkpointing ? ActivationLevel.INPUT : ActivationLevel.ALL, base.config().layers());
        var rows = List.of(row(context));
        try (var training = new LoraTraining(base, adapter, settings, policy)) {
            if (options.graphs == StepOptions.Graphs.ON) {
                training.replaySteps();
            }
            var warm = IntStream.range(0, options.warmup).mapToObj(_ -> training.step(rows)).toList();
            double began = HostMemory.processorMillis();
            long launched = launches();
            var reports = IntStream.range(0, options.steps).mapToObj(_ -> training.step(rows)).toList();
            double processor = (HostMemory.processorMillis() - began) / options.steps;
            return new Measured(context, checkpointing, Spread.of(reports.stream().mapToDouble(StepReport::milliseconds).toArray()),
                    processor, base.bytes() + training.peakBytes(), deviceBytes(), HostMemory.peakBytes(),
                    (warm.isEmpty() ? reports : warm).getFirst().loss(), reports.getLast().loss(), training.replayed(),
                    (launches() - launched) / options.steps);
        }
    }

    private long launches() {
        return base.backend().launches().values().stream().mapToLong(Long::longValue).sum();
    }

    private long deviceBytes() {
        var memory = base.backend().memory();
        return base.backend().activationType() == DType.FLOAT32 ? 0 : memory.totalBytes() - memory.freeBytes();
    }

    private boolean checkpointing(Path folder, int context) {
        MemoryPlan keeping = plan(folder, false);
        MemoryStatus memory = available();
        boolean again = switch (options.checkpointing) {
            case ON -> true;
            case OFF -> false;
            case AUTO -> keeping.totalBytes(context) > (options.budget == null ? GENEROUS_SHARE : 1) * memory.freeBytes();
        };
        (again ? plan(folder, true) : keeping).requireFits(memory, context);
        return again;
    }

    private MemoryPlan plan(Path folder, boolean checkpointing) {
        DType type = base.backend().activationType();
        return MemoryPlan.of(folder, type, adapter.settings(), checkpointing).withWeights(base.bytes());
    }

    /// What a run may take, the loaded weights included.
    private MemoryStatus available() {
        MemoryStatus memory = base.backend().memory();
        long free = Math.min(memory.totalBytes(), memory.freeBytes() + base.bytes());
        long budget = options.budget == null ? free : Math.min(free, (long) (options.budget * (1 << 30)));
        return new MemoryStatus(memory.totalBytes(), budget);
    }

    private TokenRow row(int context) {
        boolean[] mask = new boolean[context];
        Arrays.fill(mask, true);
        int[] starts = IntStream.range(0, options.documents).map(i -> (int) ((long) context * i / options.documents)).toArray();
        int[] ids = new SplittableRandom(context).ints(context, 0, base.config().vocabulary()).toArray();
        return new TokenRow(ids, mask, starts);
    }
}
