package dev.sluice.bench.step;

import dev.sluice.bench.floor.Targets;
import dev.sluice.bench.machine.HostMemory;
import dev.sluice.bench.machine.Spread;
import dev.sluice.compute.DType;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.decoder.MemoryPlan;
import dev.sluice.model.lora.AdaptableModule;
import dev.sluice.model.lora.Adapter;
import dev.sluice.model.lora.LoraSettings;
import dev.sluice.model.training.LoraTraining;
import dev.sluice.model.training.Schedule;
import dev.sluice.model.training.StepReport;
import dev.sluice.model.training.TrainingSettings;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Measures training steps of a loaded model, each context with a fresh optimiser.
final class StepRun {
    private final BaseModel base;
    private final StepOptions options;
    private final Adapter adapter;

    StepRun(BaseModel base, StepOptions options) {
        this.base = base;
        this.options = options;
        this.adapter = Adapter.create(base, targets(base, options), 1);
    }

    /// Every projection of the attention blocks, and both expert stacks if they are wanted.
    private static LoraSettings targets(BaseModel base, StepOptions options) {
        var modules = new ArrayList<String>();
        var stacks = new ArrayList<String>();
        for (var module : AdaptableModule.all(base.config(), base.names())) {
            String name = module.name();
            if (module.kind().stacked() && options.targets == Targets.ALL) {
                stacks.add(name.substring(base.names().inLayer(module.layer(), "").length()));
            } else if (name.contains("self_attn.")) {
                modules.add(name.substring(name.lastIndexOf('.') + 1));
            }
        }
        return LoraSettings.of(options.rank, options.rank, modules.stream().distinct().toList(), stacks.stream().distinct().toList());
    }

    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers if the plan or the run itself does not fit
    Measured measure(int context) {
        var choice = options.optimizer.choose(MemoryPlan.of(base, adapter.settings()), context, options.memory(), available());
        var settings = TrainingSettings.of(options.learningRate, Schedule.CONSTANT, 0, options.warmup + options.steps)
                .withOptimizerState(choice.plan().optimizerState());
        var rows = List.of(row(context));
        try (var training = new LoraTraining(base, adapter, settings, choice.policy())) {
            if (options.graphs == StepOptions.Graphs.ON) {
                training.replaySteps();
            }
            var warm = IntStream.range(0, options.warmup).mapToObj(_ -> training.step(rows)).toList();
            double began = HostMemory.processorMillis();
            long launched = launches();
            var reports = IntStream.range(0, options.steps).mapToObj(_ -> training.step(rows)).toList();
            double processor = (HostMemory.processorMillis() - began) / options.steps;
            return new Measured(context, choice, Spread.of(reports.stream().mapToDouble(StepReport::milliseconds).toArray()),
                    processor, base.bytes() + training.peakBytes(), deviceBytes(), HostMemory.peakBytes(), training.hostBytes(),
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

    /// What a run may take, the loaded weights included.
    private MemoryStatus available() {
        MemoryStatus memory = base.backend().memory();
        return new MemoryStatus(memory.totalBytes(), Math.min(memory.totalBytes(), memory.freeBytes() + base.bytes()));
    }

    private TokenRow row(int context) {
        boolean[] mask = new boolean[context];
        Arrays.fill(mask, true);
        int[] starts = IntStream.range(0, options.documents).map(i -> (int) ((long) context * i / options.documents)).toArray();
        int[] ids = new SplittableRandom(context).ints(context, 0, base.config().vocabulary()).toArray();
        return new TokenRow(ids, mask, starts);
    }
}
