package dev.sluice.bench;

import dev.sluice.bench.check.CheckCommand;
import dev.sluice.bench.operation.KernelsCommand;
import dev.sluice.bench.outputs.OutputsCommand;
import dev.sluice.bench.step.StepCommand;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/// The benchmarks' entry point. Exit codes: 0 done, 1 failed or out of bounds, 2 wrong arguments.
@Command(name = "bench", description = "Measures training steps and operations beside their floors, and checks backends.",
        mixinStandardHelpOptions = true, subcommands = {StepCommand.class, KernelsCommand.class, CheckCommand.class, OutputsCommand.class})
public final class Bench {
    private Bench() {}

    public static void main(String[] arguments) {
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Bench()).setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler(Bench::wrongArguments)
                .setExecutionExceptionHandler(Bench::failed);
    }

    private static int wrongArguments(ParameterException e, String[] arguments) {
        CommandLine command = e.getCommandLine();
        command.getErr().println(command.getCommandSpec().qualifiedName() + ": " + e.getMessage() + " (see --help)");
        return ExitCode.USAGE;
    }

    /// A stack trace only for what is a fault of the program.
    private static int failed(Exception e, CommandLine command, ParseResult arguments) {
        if (e.getMessage() == null || e instanceof NullPointerException || e instanceof IllegalStateException
                || e instanceof IndexOutOfBoundsException) {
            e.printStackTrace(command.getErr());
        } else {
            command.getErr().println(command.getCommandSpec().qualifiedName() + ": " + e.getMessage());
        }
        return e instanceof Refusal ? ExitCode.USAGE : ExitCode.SOFTWARE;
    }
}
