package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.RecordPublisher;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "produce", mixinStandardHelpOptions = true, sortOptions = false,
        description = "Publish the conversations of a JSONL or Parquet file to a dataset and say what became of each.")
public final class ProduceCommand implements Callable<Integer> {
    @Parameters(paramLabel = "FILE", description = "JSONL or .parquet; - for standard input")
    private Path file;

    @Option(names = "--dataset", required = true, paramLabel = "ID", description = "the dataset to add to")
    private String dataset;

    @Option(names = "--no-wait", description = "return when the broker has the records, before ingest has judged them")
    private boolean noWait;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            var publisher = new RecordPublisher(client, dataset);
            if (noWait) {
                long sent = publisher.send(file);
                output.print(Map.of("dataset_id", dataset, "sent", sent), sent + " records sent to dataset " + dataset);
                return ExitCode.OK.number();
            }
            var published = publisher.publish(file);
            output.print(published, text(published));
            return (published.fates().refused() > 0 ? ExitCode.PARTLY : ExitCode.OK).number();
        }
    }

    static String text(RecordPublisher.Published published) {
        var fates = published.fates();
        String text = "dataset " + published.datasetId() + ": " + fates.in() + " in = " + fates.accepted() + " accepted + "
                + fates.duplicate() + " duplicate + " + fates.refused() + " refused";
        return fates.refused() == 0 ? text : text + "\nSee why with ./sluice refused --dataset " + published.datasetId();
    }
}
