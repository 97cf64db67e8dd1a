package dev.sluice.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.bench.floor.Ceiling;
import dev.sluice.bench.machine.Machine;
import dev.sluice.compute.Backends;
import dev.sluice.compute.BackendDecision;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.stream.Collectors;

/// Where results go: a table with a head that says what was measured on, or one JSON object a line that carries all of it.
public final class Report {
    private final PrintWriter out;
    private final boolean json;
    private final Machine machine = Machine.here();
    private final BackendDecision decision;

    public Report(PrintWriter out, boolean json, Backends.Choice choice) {
        this.out = out;
        this.json = json;
        this.decision = choice.decision();
    }

    public boolean json() {
        return json;
    }

    /// What the numbers were measured on, above a table.
    public void head(String... lines) {
        if (!json) {
            out.println("machine: " + machine.describe());
            out.println("backend: " + decision.chosen() + " (" + decision.description() + "); asked for " + decision.requested() + ": " + why());
            for (String line : lines) {
                out.println(line);
            }
            out.flush();
        }
    }

    /// What it comes to, below a table.
    public void tail(String line) {
        if (!json) {
            out.println(line);
            out.flush();
        }
    }

    public static String describe(Ceiling ceiling) {
        return String.format(Locale.ROOT, "ceilings: %.3g TFLOP/s, %.3g TB/s, %s", ceiling.teraflops(), ceiling.terabytes(), ceiling.source());
    }

    /// One result: the row of a table, or the object.
    public void line(String row, ObjectNode object) {
        if (json) {
            object.put("backend", decision.chosen()).put("device", decision.description()).put("why", why());
            object.set("machine", machine.json());
            out.println(object);
        } else {
            out.println(row);
        }
        out.flush();
    }

    public static void put(ObjectNode object, Ceiling ceiling) {
        object.putObject("ceiling").put("tflops", rounded(ceiling.teraflops())).put("tb_s", rounded(ceiling.terabytes()))
                .put("source", ceiling.source());
    }

    /// Four significant digits and more, no false precision behind them.
    public static double rounded(double value) {
        return Double.isFinite(value) ? Double.parseDouble(String.format(Locale.ROOT, "%.5g", value)) : value;
    }

    private String why() {
        return decision.candidates().stream().map(one -> one.name() + " " + one.reason()).collect(Collectors.joining("; "));
    }
}
