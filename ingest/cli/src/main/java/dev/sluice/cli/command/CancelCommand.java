package dev.sluice.cli.command;

import dev.sluice.cli.CliException;
import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.JobClient;
import dev.sluice.contracts.job.JobPhase;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "cancel", mixinStandardHelpOptions = true, description = "Cancel a job and wait until it has stopped.")
public final class CancelCommand implements Callable<Integer> {
    @Parameters(paramLabel = "JOB")
    private String job;

    @Option(names = "--reason", defaultValue = "cancelled from the command line", description = "kept with the job")
    private String reason;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            var jobs = new JobClient(client);
            var before = jobs.get(job);
            if (before.phase().isTerminal()) {
                throw new CliException(ExitCode.FAILED, "job " + job + " has already ended: " + JobText.describe(before));
            }
            jobs.cancel(job, reason);
            var end = jobs.follow(job, Duration.ZERO, new JobText(output.remarks()));
            if (output.isJson()) {
                output.print(end, "");
            }
            return (end.phase() == JobPhase.CANCELLED ? ExitCode.OK : ExitCode.PARTLY).number();
        }
    }
}
