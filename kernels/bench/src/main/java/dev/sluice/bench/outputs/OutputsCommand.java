package dev.sluice.bench.outputs;

import dev.sluice.bench.BackendOption;
import dev.sluice.bench.Refusal;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// What a backend computes, for others to measure its errors: see `peer/errors.py`.
@Command(name = "outputs", description = "Writes inputs and outputs of operations, forward and backward, as one safetensors file a case.",
        mixinStandardHelpOptions = true)
public final class OutputsCommand implements Callable<Integer> {
    @Option(names = "--folder", required = true, description = "where the files go; made if it is not there")
    private Path folder;

    @Option(names = "--seed", defaultValue = "1", description = "of the numbers (default: ${DEFAULT-VALUE})")
    private long seed;

    @Mixin
    private BackendOption backend;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() throws IOException {
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new Refusal("--folder should be a folder, " + folder + " is a file");
        }
        Files.createDirectories(folder);
        List<OutputCase> cases = Stream.concat(LayerCases.all().stream(), AttentionCases.all().stream()).toList();
        try (var chosen = backend.openUncompared().backend()) {
            for (int i = 0; i < cases.size(); i++) {
                var one = cases.get(i);
                try (var recording = new Recording(chosen, seed * cases.size() + i)) {
                    recording.setting("backend", chosen.name() + ", " + chosen.description());
                    recording.setting("operation", one.operation());
                    one.body().accept(recording);
                    Path file = folder.resolve(one.name().replace(' ', '-') + ".safetensors");
                    recording.write(file);
                    spec.commandLine().getOut().println(file);
                }
            }
        }
        return 0;
    }
}
