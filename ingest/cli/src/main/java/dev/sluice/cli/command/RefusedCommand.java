package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.RefusedRecords;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "refused", mixinStandardHelpOptions = true, description = "Show which records were refused, and why.")
public final class RefusedCommand implements Callable<Integer> {
    @Option(names = "--dataset", paramLabel = "ID", description = "only records of this dataset")
    private String dataset;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            var refused = new RefusedRecords(client).read(dataset);
            output.print(refused, text(refused));
            return ExitCode.OK.number();
        }
    }

    private static String text(List<RefusedRecords.Refused> refused) {
        var text = new StringBuilder();
        for (var record : refused) {
            text.append(record.code()).append("  ").append(record.reason()).append("\n    dataset ").append(record.dataset())
                    .append(", record ").append(record.record()).append(": ").append(record.value().replaceAll("\\p{Cntrl}", " ")).append('\n');
        }
        return text.isEmpty() ? "no record was refused" : text.toString();
    }
}
