package dev.sluice.cli;

import dev.sluice.cli.command.AdaptersCommand;
import dev.sluice.cli.command.CancelCommand;
import dev.sluice.cli.command.ChampionCommand;
import dev.sluice.cli.command.DemoCommand;
import dev.sluice.cli.command.DoctorCommand;
import dev.sluice.cli.command.DownCommand;
import dev.sluice.cli.command.JobsCommand;
import dev.sluice.cli.command.MergeCommand;
import dev.sluice.cli.command.ProduceCommand;
import dev.sluice.cli.command.RefusedCommand;
import dev.sluice.cli.command.ScoresCommand;
import dev.sluice.cli.command.StatusCommand;
import dev.sluice.cli.command.TrainCommand;
import dev.sluice.cli.command.UpCommand;
import dev.sluice.cli.command.WatchCommand;
import org.apache.kafka.common.KafkaException;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/// The `sluice` command line. Commands talk to the pipeline through Kafka alone, as any other client would.
@Command(name = "sluice", mixinStandardHelpOptions = true, version = "sluice 0.1.0",
        synopsisSubcommandLabel = "COMMAND",
        description = "Fine-tunes Mixture-of-Experts language models from a stream of conversations.",
        subcommands = {DemoCommand.class, UpCommand.class, DownCommand.class, StatusCommand.class, DoctorCommand.class,
            ProduceCommand.class, RefusedCommand.class, TrainCommand.class, JobsCommand.class, WatchCommand.class, CancelCommand.class,
            AdaptersCommand.class, MergeCommand.class, ScoresCommand.class, ChampionCommand.class},
        footer = {"", "Also: ./sluice build, ./sluice test.", "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 done in part "
            + "(records refused, job not succeeded, adapter not scored), 4 no pipeline running."})
public final class Sluice {
    private Sluice() {}

    public static void main(String[] arguments) {
        quietLogging();
        System.exit(run(arguments));
    }

    /// Runs a command in this process.
    ///
    /// @return its exit code
    public static int run(String... arguments) {
        return commandLine().execute(arguments);
    }

    /// Kafka's clients log every setting they start with; a person at a terminal wants none of it unless asked for.
    private static void quietLogging() {
        String level = "org.slf4j.simpleLogger.defaultLogLevel";
        System.setProperty(level, System.getProperty(level, "off"));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Sluice())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((failure, command, _) -> report(failure, command));
    }

    /// One line for what a user can mend; a stack trace only for what nobody foresaw.
    private static int report(Exception failure, CommandLine command) {
        var err = command.getErr();
        switch (failure) {
            case CliException known -> {
                err.println("sluice: " + known.getMessage());
                return known.code().number();
            }
            case KafkaException kafka -> {
                err.println("sluice: the broker did not do as asked: " + kafka.getMessage());
                return ExitCode.FAILED.number();
            }
            case IllegalArgumentException wrong -> {
                err.println("sluice: " + wrong.getMessage());
                return ExitCode.USAGE.number();
            }
            default -> {
                failure.printStackTrace(err);
                return ExitCode.FAILED.number();
            }
        }
    }
}
