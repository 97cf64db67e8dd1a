package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.client.JobClient;
import dev.sluice.cli.output.Table;
import dev.sluice.contracts.job.JobState;
import java.util.Comparator;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

@Command(name = "jobs", mixinStandardHelpOptions = true, description = "List the training jobs, or show one.")
public final class JobsCommand implements Callable<Integer> {
    @Parameters(arity = "0..1", paramLabel = "JOB", description = "show this job in full")
    private String job;

    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        try (var client = pipeline.connect()) {
            if (job != null) {
                JobState state = new JobClient(client).get(job);
                output.print(state, JobText.describe(state));
                return ExitCode.OK.number();
            }
            var jobs = client.jobs().values().stream().sorted(Comparator.comparing(JobState::submittedAt)).toList();
            output.print(jobs, table(jobs));
            return ExitCode.OK.number();
        }
    }

    private static String table(Iterable<JobState> jobs) {
        var table = new Table("JOB", "PHASE", "STEP", "ATTEMPT", "DATASET", "SUBMITTED", "REASON");
        jobs.forEach(job -> table.row(job.jobId(), job.phase(), job.step() + "/" + job.totalSteps(), job.attempt(),
                job.spec() == null ? null : job.spec().dataset().id(), job.submittedAt(), job.reason()));
        return table.isEmpty() ? "no jobs yet; ./sluice train submits one" : table.toString();
    }
}
