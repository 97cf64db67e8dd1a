package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.Client;
import dev.sluice.cli.output.Table;
import dev.sluice.cli.pipeline.PipelineStatus;
import dev.sluice.contracts.dataset.DatasetLedger;
import dev.sluice.contracts.job.JobPhase;
import dev.sluice.contracts.job.JobState;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "status", mixinStandardHelpOptions = true, description = "Show what runs, what the datasets hold, and how the jobs stand.")
public final class StatusCommand implements Callable<Integer> {
    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    /// @param jobs number of jobs in each phase
    record Overview(PipelineStatus pipeline, List<DatasetLedger> datasets, Map<JobPhase, Long> jobs) {}

    @Override
    public Integer call() {
        var status = pipeline.running();
        try (var client = pipeline.connect()) {
            var overview = new Overview(status, ledgers(client), client.jobs().values().stream()
                    .collect(Collectors.groupingBy(JobState::phase, TreeMap::new, Collectors.counting())));
            output.print(overview, text(overview));
            return ExitCode.OK.number();
        }
    }

    private static List<DatasetLedger> ledgers(Client client) {
        return client.datasets().values().stream().filter(DatasetLedger.class::isInstance).map(DatasetLedger.class::cast)
                .sorted(Comparator.comparing(DatasetLedger::datasetId)).toList();
    }

    private static String text(Overview overview) {
        var datasets = new Table("DATASET", "IN", "= ACCEPTED", "+ DUPLICATE", "+ REFUSED");
        overview.datasets().forEach(ledger -> datasets.row(ledger.datasetId(), ledger.counts().in(), ledger.counts().accepted(),
                ledger.counts().duplicate(), ledger.counts().refused()));
        return table(overview.pipeline()) + "\n" + (datasets.isEmpty() ? "no datasets yet\n" : datasets.toString())
                + "\njobs: " + (overview.jobs().isEmpty() ? "none" : overview.jobs());
    }

    static String table(PipelineStatus status) {
        var table = new Table("PROCESS", "ADDRESS", "PID", "READY", "RESTARTS");
        status.processes().forEach(process -> table.row(process.name(), "127.0.0.1:" + process.port(), process.pid(),
                process.isReady() ? "yes" : "no", process.restarts()));
        return table.toString();
    }
}
