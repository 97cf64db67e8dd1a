package dev.sluice.compute;

import dev.sluice.compute.BackendDecision.Candidate;
import dev.sluice.compute.Examination.Result;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/// Chooses the backend: the one that was named, or the best one that can run here and computes right.
public final class Backends {
    /// What `auto` is called in configuration.
    public static final String AUTO = "auto";
    /// The backend that others are compared with.
    private static final String REFERENCE = "cpu";

    /// Values of `UNSLOTH_MOE_BACKEND`, accepted as aliases.
    private static final Map<String, String> ALIASES =
            Map.of("grouped_mm", "hopper", "unsloth_triton", "portable", "native_torch", "cpu");

    private final List<BackendProvider> providers;
    private final boolean compared;

    Backends(List<BackendProvider> providers) {
        this(providers, true);
    }

    private Backends(List<BackendProvider> providers, boolean compared) {
        this.providers = providers.stream()
                .sorted(Comparator.comparingInt(BackendProvider::preference).reversed())
                .toList();
        this.compared = compared;
    }

    /// All backends on the class path.
    public static Backends installed() {
        return new Backends(ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).toList());
    }

    /// The same without the comparison with the reference: for tools that compare or time backends themselves, wrong ones too.
    public Backends uncompared() {
        return new Backends(providers, false);
    }

    /// What the environment asks for: `SLUICE_BACKEND`, else `UNSLOTH_MOE_BACKEND`, else `auto`.
    public static String requested(Map<String, String> environment) {
        String own = environment.getOrDefault("SLUICE_BACKEND", "");
        String alias = environment.getOrDefault("UNSLOTH_MOE_BACKEND", "");
        return !own.isBlank() ? own : !alias.isBlank() ? alias : AUTO;
    }

    /// A backend that runs, and why it was chosen.
    public record Choice(Backend backend, BackendDecision decision) {}

    /// [#choose(String, Tuning)] by preference.
    public Choice choose(String requested) {
        return choose(requested, Tuning.OFF);
    }

    /// Opens the chosen backend on the calling thread. Any but the reference computed small cases right before.
    ///
    /// @param requested `auto`, a backend's name or an alias; case does not matter
    /// @throws BackendUnavailableException if it names a backend that does not exist, cannot run here or computes wrong, or if
    ///     none is left
    public Choice choose(String requested, Tuning tuning) {
        String wanted = requested.strip().toLowerCase(Locale.ROOT);
        String name = ALIASES.getOrDefault(wanted, wanted);
        try (var examination = new Examination(reference(), compared)) {
            return name.equals(AUTO) ? switch (tuning) {
                case Tuning.Off() -> preferred(requested, providers, examination, List.of(), "");
                case Tuning.Fastest fastest -> fastest(requested, fastest, examination);
            } : named(requested, name, examination);
        }
    }

    private BackendProvider reference() {
        return providers.stream().filter(provider -> provider.name().equals(REFERENCE)).findFirst().orElse(null);
    }

    /// @param among in order of preference
    /// @param before what was looked at already
    private static Choice preferred(String requested, List<BackendProvider> among, Examination examination, List<Candidate> before,
            String workload) {
        var seen = new ArrayList<>(before);
        Backend chosen = null;
        for (var provider : among) {
            if (chosen != null) {
                seen.add(passedOver(provider, chosen.name()));
                continue;
            }
            switch (examination.of(provider)) {
                case Result.Fit fit -> {
                    chosen = fit.backend();
                    seen.add(new Candidate(provider.name(), true, "chosen: " + fit.reason(), fit.checks(), null));
                }
                case Result.Unfit(_, var reason, var checks) -> seen.add(new Candidate(provider.name(), false, reason, checks, null));
            }
        }
        if (chosen == null) {
            throw new BackendUnavailableException("no compute backend can run here: " + reasons(seen));
        }
        return choice(requested, chosen, workload, seen);
    }

    private static Candidate passedOver(BackendProvider provider, String chosen) {
        return switch (Examination.probe(provider)) {
            case Availability.Available _ -> new Candidate(provider.name(), true, "available, less preferred than " + chosen);
            case Availability.Unavailable(var reason) -> new Candidate(provider.name(), false, reason);
        };
    }

    /// All but the reference compete; it is left for machines where nothing else runs.
    private Choice fastest(String requested, Tuning.Fastest tuning, Examination examination) {
        var contest = new Contest(tuning);
        var rest = new ArrayList<>(providers);
        rest.remove(reference());
        rest.forEach(provider -> contest.enter(examination.of(provider)));
        BackendProvider winner = contest.winner();
        var seen = new ArrayList<>(contest.candidates());
        BackendProvider reference = reference();
        if (winner == null) {
            return preferred(requested, reference == null ? List.of() : List.of(reference), examination, seen, "");
        }
        if (reference != null) {
            seen.add(passedOver(reference, winner.name()));
        }
        return choice(requested, again(winner), tuning.workload().describe(), seen);
    }

    private static Backend again(BackendProvider winner) {
        try {
            return winner.open();
        } catch (RuntimeException | LinkageError e) {
            throw new BackendUnavailableException("backend " + winner.name() + " was chosen and does not open a second time: " + e);
        }
    }

    private Choice named(String requested, String name, Examination examination) {
        var provider = providers.stream().filter(p -> p.name().equals(name)).findFirst()
                .orElseThrow(() -> new BackendUnavailableException("backend " + requested + " does not exist; installed: "
                        + providers.stream().map(BackendProvider::name).collect(Collectors.joining(", "))
                        + "; or ask for auto"));
        return switch (examination.of(provider)) {
            case Result.Fit fit -> choice(requested, fit.backend(), "", List.of(new Candidate(name, true,
                    "chosen: asked for by name; " + fit.reason(), fit.checks(), null)));
            case Result.Unfit(_, var reason, _) -> throw new BackendUnavailableException("backend " + requested
                    + " was asked for by name and cannot run here: " + reason + "; ask for auto to take another");
        };
    }

    private static Choice choice(String requested, Backend backend, String workload, List<Candidate> seen) {
        return new Choice(backend, new BackendDecision(requested, backend.name(), backend.description(), backend.fingerprint().kernels(),
                workload, seen));
    }

    private static String reasons(List<Candidate> seen) {
        return seen.stream().map(one -> one.name() + ": " + one.reason()).collect(Collectors.joining("; "));
    }
}
