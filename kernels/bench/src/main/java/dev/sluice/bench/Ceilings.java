package dev.sluice.bench;

import picocli.CommandLine.Option;

/// What a card can do at most, measured on it with large products and copies of random data.
final class Ceilings {
    @Option(names = "--tflops", defaultValue = "790", description = "bf16 products, TFLOP/s (default: ${DEFAULT-VALUE}, an H200)")
    double tflops;

    @Option(names = "--terabytes", defaultValue = "4.3", description = "memory, TB/s read and written (default: ${DEFAULT-VALUE}, an H200)")
    double terabytes;

    /// Milliseconds below which nothing that does so many operations and moves so many bytes can run.
    double floor(double flops, double bytes) {
        return Math.max(flops / (tflops * 1e9), bytes / (terabytes * 1e9));
    }
}
