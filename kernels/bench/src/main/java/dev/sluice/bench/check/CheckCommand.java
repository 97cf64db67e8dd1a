package dev.sluice.bench.check;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.sluice.bench.BackendOption;
import dev.sluice.bench.Refusal;
import dev.sluice.bench.Report;
import dev.sluice.compute.Backends;
import dev.sluice.compute.probe.Comparison.Finding;
import dev.sluice.compute.probe.Comparison;
import dev.sluice.compute.probe.Trial;
import dev.sluice.compute.probe.Trials;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// A backend against the CPU in float32, without a test framework: for machines that have nothing but this jar.
@Command(name = "check", description = "Compares every operation of a backend with the CPU's float32 on ragged random cases;"
        + " exit code 1 if one is out of its bound.", mixinStandardHelpOptions = true)
public final class CheckCommand implements Callable<Integer> {
    @Option(names = "--seed", defaultValue = "1", description = "of sizes and numbers (default: ${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "--cases", defaultValue = "8", description = "cases of each operation (default: ${DEFAULT-VALUE})")
    private int cases;

    @Option(names = "--json", description = "one JSON object a line instead of a table")
    private boolean json;

    @Mixin
    private BackendOption backend;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        if (cases < 1) {
            throw new Refusal("--cases should be at least 1, was " + cases);
        }
        var choice = backend.openUncompared();
        try (var tested = choice.backend(); var reference = Backends.installed().choose("cpu").backend()) {
            var report = new Report(spec.commandLine().getOut(), json, choice);
            report.head("reference: cpu, " + reference.description() + "; seed " + seed,
                    "operation           output            error      bound  of bound  case");
            return check(new Comparison(reference, tested), report);
        }
    }

    private int check(Comparison comparison, Report report) {
        int failures = 0;
        List<Trial> trials = Trials.drawn(seed, cases);
        for (int i = 0; i < trials.size(); i++) {
            Trial trial = trials.get(i);
            List<Finding> findings = comparison.of(trial, seed * 31 + i);
            failures += (int) findings.stream().filter(finding -> !finding.passed()).count();
            shown(findings, report.json()).forEach(finding -> report.line(row(trial, finding), object(trial, finding)));
        }
        report.tail(failures == 0 ? trials.size() + " cases within their bounds"
                : failures + " outputs OUT OF BOUNDS in " + trials.size() + " cases");
        return failures == 0 ? 0 : 1;
    }

    /// In a table only what is worst: the first out of bounds, or the nearest to it.
    private static List<Finding> shown(List<Finding> findings, boolean all) {
        return all ? findings : findings.stream().filter(finding -> !finding.passed()).findFirst()
                .or(() -> findings.stream().max(Comparator.comparingDouble(Finding::share))).stream().toList();
    }

    private static String row(Trial trial, Finding finding) {
        return String.format(Locale.ROOT, "%-19s %-14s %8.2e   %8.2e  %7.0f%%  %s%s", trial.operation(), finding.output(), finding.error(),
                finding.bound(), finding.bound() == 0 ? 0 : 100 * finding.error() / finding.bound(), trial.sizes(),
                finding.passed() ? "" : "  OUT OF BOUNDS");
    }

    private ObjectNode head(Trial trial) {
        return JsonNodeFactory.instance.objectNode().put("operation", trial.operation()).put("case", trial.sizes()).put("seed", seed);
    }

    private ObjectNode object(Trial trial, Finding finding) {
        return head(trial).put("output", finding.output()).put("error", Report.rounded(finding.error())).put("bound", finding.bound())
                .put("passed", finding.passed());
    }
}
