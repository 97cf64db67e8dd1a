package dev.sluice.cli.command;

import dev.sluice.cli.client.JobClient;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(name = "watch", mixinStandardHelpOptions = true, description = "Follow a job to its end. Exit code 0 when it succeeds, 3 otherwise.")
public final class WatchCommand implements Callable<Integer> {
    @Parameters(paramLabel = "JOB")
    private String job;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            var jobs = new JobClient(client);
            jobs.get(job);
            var end = jobs.follow(job, Duration.ZERO, new JobText(output.remarks()));
            if (output.isJson()) {
                output.print(end, "");
            }
            return JobText.exitCode(end).number();
        }
    }
}
