package dev.sluice.bench.step;

import dev.sluice.bench.Refusal;
import dev.sluice.bench.floor.Targets;
import dev.sluice.model.Quantization;
import dev.sluice.model.decoder.MemoryWish;
import dev.sluice.model.decoder.OptimizerChoice;
import java.util.List;
import picocli.CommandLine.Option;

/// What a measured training step looks like.
final class StepOptions {
    @Option(names = "--contexts", split = ",", defaultValue = "1024,4096", description = "tokens of a step (default: ${DEFAULT-VALUE})")
    List<Integer> contexts;

    @Option(names = "--documents", defaultValue = "1",
            description = "documents of equal length packed into each context (default: ${DEFAULT-VALUE})")
    int documents;

    @Option(names = "--rank", defaultValue = "16", description = "LoRA rank, alpha the same (default: ${DEFAULT-VALUE})")
    int rank;

    @Option(names = "--targets", paramLabel = "all|attention", defaultValue = "ALL",
            description = "what has adapters: attention's projections and all experts, or the former only (default: all)")
    Targets targets;

    @Option(names = "--steps", defaultValue = "5", description = "measured steps (default: ${DEFAULT-VALUE})")
    int steps;

    @Option(names = "--warmup", defaultValue = "2", description = "steps before the measured ones (default: ${DEFAULT-VALUE})")
    int warmup;

    @Option(names = "--learning-rate", defaultValue = "1e-4", description = "constant learning rate (default: ${DEFAULT-VALUE})")
    double learningRate;

    @Option(names = "--policy", defaultValue = "auto", description = "what layers keep for the backward pass: auto, host, input, attn,"
            + " mid, qkv or all (default: ${DEFAULT-VALUE}, as much as fits)")
    String policy;

    @Option(names = "--graphs", defaultValue = "ON", description = "on or off: record a step's launches as a CUDA graph and replay it; the"
            + " second step of a context records (default: on)")
    Graphs graphs;

    @Option(names = "--quantize", paramLabel = "none|nf4", defaultValue = "NONE", description = "pack frozen projections and experts while"
            + " loading (default: none)")
    Quantization quantization;

    @Option(names = "--optimizer-state", defaultValue = "AUTO", description = "what the optimiser keeps of every parameter: exact (float32), lean"
            + " (moments of one byte), or auto: exact where it costs no activations (default: auto)")
    OptimizerChoice optimizer;

    @Option(names = "--budget-gib", description = "most memory of weights, adapter, optimiser and activations together (default: what is free)")
    Double budget;

    MemoryWish memory() {
        try {
            return MemoryWish.of(policy, budget);
        } catch (IllegalArgumentException e) {
            throw new Refusal("--policy or --budget-gib: " + e.getMessage());
        }
    }

    /// Whether steps are replayed.
    enum Graphs {
        ON,
        OFF
    }

    /// @throws Refusal naming the option that makes no sense
    void check() {
        require(rank >= 1, "--rank should be at least 1, was " + rank);
        require(steps >= 1, "--steps should be at least 1, was " + steps);
        require(warmup >= 0, "--warmup should be at least 0, was " + warmup);
        require(documents >= 1, "--documents should be at least 1, was " + documents);
        require(learningRate > 0, "--learning-rate should be above 0, was " + learningRate);
        require(budget == null || budget > 0, "--budget-gib should be above 0, was " + budget);
        memory();
        for (int context : contexts) {
            require(context >= 2 * documents, "--contexts " + context + ": " + documents + " documents need at least "
                    + 2 * documents + " tokens, because nothing predicts a document's first one");
        }
    }

    private static void require(boolean holds, String rule) {
        if (!holds) {
            throw new Refusal(rule);
        }
    }
}
