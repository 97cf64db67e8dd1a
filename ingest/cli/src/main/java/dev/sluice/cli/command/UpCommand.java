package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.pipeline.Daemon;
import dev.sluice.cli.pipeline.PipelineStatus;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "up", mixinStandardHelpOptions = true,
        description = "Start the single-machine pipeline and leave it running. What it holds survives restarts.")
public final class UpCommand implements Callable<Integer> {
    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        var data = pipeline.data();
        var already = PipelineStatus.running(data);
        if (already.isPresent()) {
            output.print(already.get(), "already running\n" + StatusCommand.table(already.get()));
            return ExitCode.OK.number();
        }
        output.remarks().println("Starting broker, ingest, trainer and evaluator in " + data.root() + " ...");
        long started = System.nanoTime();
        var status = Daemon.start(data);
        output.print(status, String.format("ready in %.1f s%n%s", (System.nanoTime() - started) / 1e9, StatusCommand.table(status)));
        return ExitCode.OK.number();
    }
}
