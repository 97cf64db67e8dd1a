package dev.sluice.cli.command;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.sluice.contracts.wire.Json;
import java.io.PrintStream;
import picocli.CommandLine.Option;

/// How a command prints: for people, or as JSON for programs.
final class OutputOptions {
    private enum Format {
        TEXT,
        JSON
    }

    @Option(names = {"-o", "--output"}, paramLabel = "text|json", defaultValue = "text", description = "how to print (default: ${DEFAULT-VALUE})")
    private Format format;

    boolean isJson() {
        return format == Format.JSON;
    }

    /// Where remarks for people go: not between a program and its JSON.
    PrintStream remarks() {
        return isJson() ? System.err : System.out;
    }

    /// Prints `value` as JSON where that was asked for, otherwise `text`.
    void print(Object value, String text) {
        System.out.println(isJson() ? json(value) : text.stripTrailing());
    }

    private static String json(Object value) {
        try {
            return Json.mapper().writerWithDefaultPrettyPrinter().writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write " + value.getClass().getSimpleName() + " as JSON", e);
        }
    }
}
