package dev.sluice.bench;

import java.io.PrintWriter;
import java.io.StringWriter;

/// Runs the program as a user would, inside this process.
public final class CommandLines {
    private CommandLines() {}

    /// What a run gave back.
    public record Result(int exitCode, String out, String err) {}

    public static Result run(String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int code = Bench.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true)).execute(arguments);
        return new Result(code, out.toString(), err.toString());
    }
}
