package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.pipeline.Installation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Merging is the trainer's work: this command runs it in a process of its own, with the trainer's libraries.
@Command(name = "merge", mixinStandardHelpOptions = true,
        description = "Write a base model with an adapter merged in, as a Hugging Face checkpoint. Needs no pipeline.")
public final class MergeCommand implements Callable<Integer> {
    private static final String MAIN = "dev.sluice.model.checkpoint.MergeMain";

    @Option(names = "--model", paramLabel = "DIR", required = true, description = "checkpoint folder of the base model")
    private Path model;

    @Option(names = "--adapter", paramLabel = "DIR", required = true,
            description = "PEFT adapter folder: from train --out, or from ./sluice adapters ADAPTER --out DIR")
    private Path adapter;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "the merged checkpoint; must not be there yet")
    private Path out;

    @Option(names = "--dtype", paramLabel = "float32|bfloat16|float16",
            description = "type of merged weights (default the base model's own; bfloat16 where its weights are packed)")
    private String type;

    @Override
    public Integer call() throws InterruptedException {
        var command = new ArrayList<>(List.of(Installation.java().toString(), "-cp", Installation.current().kernels().resolve("*").toString(),
                MAIN, model.toString(), adapter.toString(), out.toString()));
        if (type != null) {
            command.add(type);
        }
        try {
            return new ProcessBuilder(command).inheritIO().start().waitFor();
        } catch (IOException e) {
            throw new CliException(ExitCode.FAILED, "cannot start the merging process: " + e.getMessage(), e);
        }
    }
}
