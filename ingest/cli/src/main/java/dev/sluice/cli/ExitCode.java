package dev.sluice.cli;

/// What a command's exit code means. Scripts may rely on the numbers.
public enum ExitCode {
    OK(0),
    /// The command could not do what was asked.
    FAILED(1),
    /// The command line is wrong.
    USAGE(2),
    /// It was done, but some records were refused, the job did not succeed, or its adapter got no score.
    PARTLY(3),
    /// No pipeline is running where one is needed.
    NOT_RUNNING(4);

    private final int number;

    ExitCode(int number) {
        this.number = number;
    }

    public int number() {
        return number;
    }
}
