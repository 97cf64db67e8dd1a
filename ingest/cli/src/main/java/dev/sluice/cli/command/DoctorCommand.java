package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.doctor.Check;
import dev.sluice.cli.doctor.MachineChecks;
import dev.sluice.cli.doctor.PipelineChecks;
import dev.sluice.cli.output.Table;
import dev.sluice.cli.pipeline.Installation;
import dev.sluice.cli.pipeline.PipelineStatus;
import java.util.ArrayList;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "doctor", mixinStandardHelpOptions = true,
        description = "Check this machine, the build and, where one runs, the pipeline. Exit code 0 when nothing is wrong.")
public final class DoctorCommand implements Callable<Integer> {
    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        var checks = new ArrayList<Check>(MachineChecks.run(Installation.current(), pipeline.data()));
        if (pipeline.isReachable()) {
            try (var client = pipeline.connect()) {
                checks.addAll(PipelineChecks.run(client, PipelineStatus.running(pipeline.data())));
            }
        } else {
            checks.add(Check.note("pipeline", "none is running in " + pipeline.data().root() + "; ./sluice up starts one"));
        }
        var table = new Table("CHECK", "RESULT", "WHAT WAS FOUND");
        checks.forEach(check -> table.row(check.name(), check.result(), check.detail()));
        output.print(checks, table.toString());
        return (checks.stream().anyMatch(check -> check.result() == Check.Result.WRONG) ? ExitCode.FAILED : ExitCode.OK).number();
    }
}
