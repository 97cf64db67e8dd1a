package dev.sluice.cli.command;

import dev.sluice.contracts.job.AdapterFormat;
import dev.sluice.contracts.job.Lora;
import dev.sluice.contracts.job.Precision;
import dev.sluice.contracts.job.Quantize;
import dev.sluice.contracts.job.Schedule;
import dev.sluice.contracts.job.Training;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/// Settings of a run under the names of TRL, transformers and PEFT, with short ones beside them. Absent options leave
/// the defaults of [Training] and [Lora].
final class TrainingOptions {
    @Option(names = {"--rank", "--r"}, paramLabel = "N", description = "LoRA rank (default 16)")
    private Integer rank;

    @Option(names = {"--alpha", "--lora-alpha"}, paramLabel = "X", description = "LoRA alpha (default twice the rank)")
    private Double alpha;

    @Option(names = {"--rslora", "--use-rslora"}, description = "scale by alpha / sqrt(rank)")
    private Boolean rslora;

    @Option(names = "--target-modules", split = ",", paramLabel = "NAME", description = "linear layers to adapt (default q_proj,k_proj,v_proj,o_proj); 'none' for none")
    private List<String> targetModules;

    @Option(names = "--target-parameters", split = ",", paramLabel = "NAME", description = "expert parameters to adapt (default mlp.experts.gate_up_proj,mlp.experts.down_proj); 'none' for none")
    private List<String> targetParameters;

    @Option(names = "--rank-pattern", split = ",", paramLabel = "NAME=N", description = "rank of some modules")
    private Map<String, Integer> rankPattern;

    @Option(names = "--alpha-pattern", split = ",", paramLabel = "NAME=X", description = "alpha of some modules")
    private Map<String, Double> alphaPattern;

    @Option(names = "--init-adapter", paramLabel = "DIR", description = "PEFT adapter to start from")
    private Path initAdapter;

    @Option(names = "--max-length", paramLabel = "TOKENS", description = "longest row (default 1024)")
    private Integer maxLength;

    @Option(names = {"--batch-size", "--per-device-train-batch-size"}, paramLabel = "ROWS", description = "rows of a micro-batch (default 1)")
    private Integer batchSize;

    @Option(names = {"--accumulate", "--gradient-accumulation-steps"}, paramLabel = "N", description = "micro-batches of an optimiser step (default 1)")
    private Integer accumulate;

    @Option(names = {"--steps", "--max-steps"}, paramLabel = "N", description = "optimiser steps (default: one epoch)")
    private Integer steps;

    @Option(names = {"--epochs", "--num-train-epochs"}, paramLabel = "X", description = "passes over the data (default 1)")
    private Double epochs;

    @Option(names = "--learning-rate", paramLabel = "X", description = "peak learning rate (default 2e-4)")
    private Double learningRate;

    @Option(names = {"--schedule", "--lr-scheduler-type"}, paramLabel = "constant|linear|cosine", description = "learning rate schedule (default linear)")
    private Schedule schedule;

    @Option(names = {"--warmup", "--warmup-steps"}, paramLabel = "N", description = "steps of linear warm-up (default 0)")
    private Integer warmupSteps;

    @Option(names = "--warmup-ratio", paramLabel = "X", description = "warm-up as a share of all steps")
    private Double warmupRatio;

    @Option(names = "--weight-decay", paramLabel = "X", description = "decoupled weight decay (default 0)")
    private Double weightDecay;

    @Option(names = "--adam-beta1", paramLabel = "X", description = "(default 0.9)")
    private Double beta1;

    @Option(names = "--adam-beta2", paramLabel = "X", description = "(default 0.999)")
    private Double beta2;

    @Option(names = "--adam-epsilon", paramLabel = "X", description = "(default 1e-8)")
    private Double epsilon;

    @Option(names = {"--clip", "--max-grad-norm"}, paramLabel = "X", description = "global gradient norm (default 1; 0: no clipping)")
    private Double clip;

    @Option(names = "--seed", paramLabel = "N", description = "(default 42)")
    private Long seed;

    @Option(names = "--packing", negatable = true, fallbackValue = "true", description = "pack several examples into a row, or not (default: pack)")
    private Boolean packing;

    @Option(names = "--shuffle", negatable = true, fallbackValue = "true", description = "shuffle the rows, or not (default: shuffle)")
    private Boolean shuffle;

    @Option(names = "--precision", paramLabel = "float32|bfloat16|auto", description = "precision of the adapter (default auto)")
    private Precision precision;

    @Option(names = "--quantize", paramLabel = "none|nf4", description = "pack the model's frozen weights into 4 bits while loading (default none)")
    private Quantize quantize;

    @Option(names = "--backend", paramLabel = "auto|hopper|portable|cpu", description = "compute backend (default auto)")
    private String backend;

    @Option(names = "--adapter-format", paramLabel = "per-expert|peft-3d", converter = AdapterFormatName.class, description = "layout of the adapter file (default: the one that peft loads for the model)")
    private AdapterFormat adapterFormat;

    Lora lora() {
        return new Lora(rank, alpha, rslora, names(targetModules), names(targetParameters), rankPattern, alphaPattern, null, initAdapterUri());
    }

    Training training() {
        return new Training(maxLength, batchSize, accumulate, steps, epochs, learningRate, schedule, warmupSteps, warmupRatio,
                weightDecay, beta1, beta2, epsilon, clip, seed, packing, shuffle, precision);
    }

    Quantize quantize() {
        return quantize;
    }

    String backend() {
        return backend;
    }

    AdapterFormat adapterFormat() {
        return adapterFormat;
    }

    private URI initAdapterUri() {
        return initAdapter == null ? null : initAdapter.toAbsolutePath().normalize().toUri();
    }

    private static List<String> names(List<String> given) {
        return given != null && given.equals(List.of("none")) ? List.of() : given;
    }
}
