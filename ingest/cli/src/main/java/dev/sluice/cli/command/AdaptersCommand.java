package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.AdapterFiles;
import dev.sluice.cli.output.Table;
import dev.sluice.contracts.adapter.AdapterPublished;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "adapters", mixinStandardHelpOptions = true, description = "List the published adapters, or copy one's files out of the store.")
public final class AdaptersCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "ADAPTER", description = "an adapter id, or its first digits")
    private String adapter;

    @Option(names = "--out", paramLabel = "DIR", description = "copy the adapter's files here, hashes checked")
    private Path out;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            var adapters = client.adapters().values().stream()
                    .filter(candidate -> adapter == null || candidate.adapterId().startsWith(adapter))
                    .sorted(Comparator.comparing(AdapterPublished::publishedAt)).toList();
            if (adapter != null && adapters.size() != 1) {
                throw new CliException(ExitCode.FAILED, adapters.size() + " adapters begin with " + adapter + "; ./sluice adapters lists them");
            }
            if (out != null) {
                AdapterFiles.copy(only(adapters), client.store(), out);
            }
            output.print(adapter == null ? adapters : adapters.getFirst(), table(adapters) + (out == null ? "" : "copied to " + out));
            return ExitCode.OK.number();
        }
    }

    private AdapterPublished only(List<AdapterPublished> adapters) {
        if (adapter == null) {
            throw new CliException(ExitCode.USAGE, "--out needs an adapter: ./sluice adapters ADAPTER --out DIR");
        }
        return adapters.getFirst();
    }

    private static String table(List<AdapterPublished> adapters) {
        var table = new Table("ADAPTER", "JOB", "DATASET", "STEPS", "FINAL LOSS", "FORMAT", "PUBLISHED");
        adapters.forEach(row -> table.row(row.adapterId(), row.jobId(), row.datasetId() + "@" + row.datasetVersion(),
                row.training().steps(), String.format("%.4f", row.training().finalLoss()), row.format(), row.publishedAt()));
        return table.isEmpty() ? "no adapters yet; ./sluice train makes one" : table.toString();
    }
}
