package dev.sluice.compute;

import dev.sluice.compute.BackendDecision.Candidate;
import dev.sluice.compute.BackendDecision.Check;
import dev.sluice.compute.Examination.Result;
import dev.sluice.compute.Examination.Result.Fit;
import dev.sluice.compute.Examination.Result.Unfit;
import dev.sluice.compute.probe.SpeedCache;
import dev.sluice.compute.probe.SpeedProbe;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SortedMap;
import java.util.TreeMap;

/// Finds the backend that runs a workload fastest. One is open at a time, so that each has the whole device.
final class Contest {
    private final Workload workload;
    private final SpeedCache cache;
    private final List<Entry> entries = new ArrayList<>();

    Contest(Tuning.Fastest tuning) {
        this.workload = tuning.workload();
        this.cache = new SpeedCache(tuning.cache());
    }

    /// @param provider null where it is out
    /// @param milliseconds empty where it was not timed
    private record Entry(BackendProvider provider, String name, String reason, List<Check> checks, SortedMap<String, Double> milliseconds) {
        boolean timed() {
            return provider != null && !milliseconds.isEmpty();
        }

        double total() {
            return milliseconds.values().stream().mapToDouble(Double::doubleValue).sum();
        }
    }

    /// Times it, closes it and remembers the outcome.
    void enter(Result result) {
        entries.add(switch (result) {
            case Unfit(var name, var reason, var checks) -> new Entry(null, name, reason, checks, new TreeMap<>());
            case Fit fit -> {
                try {
                    yield timed(fit);
                } finally {
                    Examination.closeQuietly(fit.backend());
                }
            }
        });
    }

    private Entry timed(Fit fit) {
        var print = fit.backend().fingerprint();
        String key = String.join(" | ", fit.provider().name(), print.device(), print.kernels(), fit.backend().activationType().name(),
                workload.describe());
        try {
            var times = cache.get(key).orElseGet(() -> {
                var measured = SpeedProbe.measure(fit.backend(), workload);
                cache.put(key, measured);
                return measured;
            });
            return entry(fit.provider(), fit, fit.reason(), times);
        } catch (OutOfMemoryException e) {
            return entry(fit.provider(), fit, fit.reason() + "; not timed: " + e.getMessage(), new TreeMap<>());
        } catch (RuntimeException | LinkageError e) {
            return entry(null, fit, fit.reason() + ": it cannot run this workload: " + e.getMessage(), new TreeMap<>());
        }
    }

    private static Entry entry(BackendProvider provider, Fit fit, String reason, SortedMap<String, Double> times) {
        return new Entry(provider, fit.provider().name(), reason, fit.checks(), times);
    }

    /// The fastest one, or the first where none was timed, or null if none is left.
    BackendProvider winner() {
        var first = entries.stream().filter(entry -> entry.provider != null).findFirst();
        return entries.stream().filter(Entry::timed).min(Comparator.comparingDouble(Entry::total)).or(() -> first).map(Entry::provider)
                .orElse(null);
    }

    List<Candidate> candidates() {
        BackendProvider winner = winner();
        return entries.stream().map(entry -> new Candidate(entry.name, entry.provider != null, reason(entry, winner), entry.checks,
                entry.milliseconds)).toList();
    }

    private static String reason(Entry entry, BackendProvider winner) {
        if (entry.provider == null) {
            return entry.reason;
        }
        String time = entry.timed() ? String.format(Locale.ROOT, ", %.3f ms a layer", entry.total()) : "";
        return entry.provider == winner ? "chosen: " + entry.reason + time
                : "slower or less preferred than " + winner.name() + time + ": " + entry.reason;
    }
}
