package dev.sluice.bench;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/// The benchmarks' entry point.
@Command(name = "bench", description = "Measures kernels beside their floors, and whole training steps.", mixinStandardHelpOptions = true,
        subcommands = {KernelBench.class, StepBench.class})
public final class Bench {
    private Bench() {}

    public static void main(String[] arguments) {
        System.exit(new CommandLine(new Bench()).execute(arguments));
    }
}
