package dev.sluice.cli.command;

import dev.sluice.cli.ExitCode;
import dev.sluice.cli.pipeline.Daemon;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "down", mixinStandardHelpOptions = true,
        description = "Stop the single-machine pipeline. A running job saves a checkpoint and goes on at the next start.")
public final class DownCommand implements Callable<Integer> {
    @Mixin
    private PipelineFolderOptions pipeline;

    @Mixin
    private OutputOptions output;

    @Override
    public Integer call() {
        boolean stopped = Daemon.stop(pipeline.data());
        output.print(Map.of("stopped", stopped), stopped ? "stopped" : "nothing was running in " + pipeline.data().root());
        return ExitCode.OK.number();
    }
}
