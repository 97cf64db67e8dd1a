package dev.sluice.bench;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Backends;
import dev.sluice.compute.Lifetime;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Operations of Qwen3-30B-A3B, one by one, beside their floors.
@Command(name = "kernels", description = "Times each operation of a Qwen3-30B-A3B layer, its head and AdamW.", mixinStandardHelpOptions = true)
final class KernelBench implements Callable<Integer> {
    private static final int WARM_UP = 3;
    private static final int BATCHES = 7;
    private static final int CALLS_PER_BATCH = 4;

    @Option(names = "--backend", defaultValue = "auto", description = "auto, hopper, portable or cpu (default: ${DEFAULT-VALUE})")
    private String backend;

    @Option(names = "--tokens", split = ",", defaultValue = "1024,4096", description = "token counts (default: ${DEFAULT-VALUE})")
    private List<Integer> tokens;

    @Option(names = "--rank", defaultValue = "16", description = "LoRA rank (default: ${DEFAULT-VALUE})")
    private int rank;

    @Mixin
    private Ceilings ceilings;

    @Override
    public Integer call() {
        var choice = Backends.installed().choose(backend);
        try (var chosen = choice.backend()) {
            System.out.println(choice.decision().description());
            System.out.println(" tokens  operation             median ms   min ms   max ms  TFLOP/s  floor ms  % of floor");
            for (int count : tokens) {
                try (var run = chosen.scope(Lifetime.RUN, "bench"); var step = chosen.scope(Lifetime.STEP, "bench")) {
                    new Qwen3Cases(chosen, run, step, count, rank).all(run).forEach(one -> print(one, measure(chosen, one)));
                }
            }
        }
        return 0;
    }

    /// Milliseconds of one call, sorted: each number is the mean of a few calls in a row.
    private static double[] measure(Backend backend, Case one) {
        for (int i = 0; i < WARM_UP; i++) {
            one.run().run();
        }
        double[] times = new double[BATCHES];
        for (int i = 0; i < BATCHES; i++) {
            backend.synchronize();
            long begin = System.nanoTime();
            for (int j = 0; j < CALLS_PER_BATCH; j++) {
                one.run().run();
            }
            backend.synchronize();
            times[i] = (System.nanoTime() - begin) / 1e6 / CALLS_PER_BATCH;
        }
        Arrays.sort(times);
        return times;
    }

    private void print(Case one, double[] times) {
        double median = times[BATCHES / 2];
        double floor = ceilings.floor(one.flops(), one.bytes());
        System.out.printf(Locale.ROOT, "%7d  %-20s %10.4f %8.4f %8.4f %8.1f %9.4f %10.1f%n", one.tokens(), one.name(), median, times[0],
                times[BATCHES - 1], one.flops() / median / 1e9, floor, 100 * floor / median);
    }
}
