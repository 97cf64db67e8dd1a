package dev.sluice.compute;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/// Chooses the backend: the one that was named, or the most preferred one that can run here.
public final class Backends {
    /// What `auto` is called in configuration.
    public static final String AUTO = "auto";

    /// Values of `UNSLOTH_MOE_BACKEND`, accepted as aliases.
    private static final Map<String, String> ALIASES =
            Map.of("grouped_mm", "hopper", "unsloth_triton", "portable", "native_torch", "cpu");

    private final List<BackendProvider> providers;

    Backends(List<BackendProvider> providers) {
        this.providers = providers.stream()
                .sorted(Comparator.comparingInt(BackendProvider::preference).reversed())
                .toList();
    }

    /// All backends on the class path.
    public static Backends installed() {
        return new Backends(ServiceLoader.load(BackendProvider.class).stream().map(ServiceLoader.Provider::get).toList());
    }

    /// What the environment asks for: `SLUICE_BACKEND`, else `UNSLOTH_MOE_BACKEND`, else `auto`.
    public static String requested(Map<String, String> environment) {
        String own = environment.getOrDefault("SLUICE_BACKEND", "");
        String alias = environment.getOrDefault("UNSLOTH_MOE_BACKEND", "");
        return !own.isBlank() ? own : !alias.isBlank() ? alias : AUTO;
    }

    /// A backend that runs, and why it was chosen.
    public record Choice(Backend backend, BackendDecision decision) {}

    /// Opens the chosen backend on the calling thread.
    ///
    /// @param requested `auto`, a backend's name or an alias; case does not matter
    /// @throws BackendUnavailableException if it names a backend that does not exist or cannot run here, or if none can
    public Choice choose(String requested) {
        String wanted = requested.strip().toLowerCase(Locale.ROOT);
        String name = ALIASES.getOrDefault(wanted, wanted);
        return name.equals(AUTO) ? best(requested) : named(requested, name);
    }

    private Choice best(String requested) {
        var seen = new ArrayList<BackendDecision.Candidate>();
        BackendProvider chosen = null;
        for (var provider : providers) {
            switch (provider.probe()) {
                case Availability.Available(var description) -> {
                    seen.add(new BackendDecision.Candidate(provider.name(), true,
                            chosen == null ? "chosen: " + description : "available, less preferred than " + chosen.name()));
                    chosen = chosen == null ? provider : chosen;
                }
                case Availability.Unavailable(var reason) ->
                        seen.add(new BackendDecision.Candidate(provider.name(), false, reason));
            }
        }
        if (chosen == null) {
            throw new BackendUnavailableException("no compute backend can run here: " + seen);
        }
        return open(chosen, requested, seen);
    }

    private Choice named(String requested, String name) {
        var provider = providers.stream().filter(p -> p.name().equals(name)).findFirst()
                .orElseThrow(() -> new BackendUnavailableException("backend " + requested + " does not exist; installed: "
                        + providers.stream().map(BackendProvider::name).collect(Collectors.joining(", "))
                        + "; or ask for auto"));
        return switch (provider.probe()) {
            case Availability.Available(var description) -> open(provider, requested,
                    List.of(new BackendDecision.Candidate(name, true, "chosen: asked for by name; " + description)));
            case Availability.Unavailable(var reason) -> throw new BackendUnavailableException("backend " + requested
                    + " was asked for by name and cannot run here: " + reason + "; ask for auto to take another");
        };
    }

    private static Choice open(BackendProvider provider, String requested, List<BackendDecision.Candidate> seen) {
        Backend backend = provider.open();
        return new Choice(backend, new BackendDecision(requested, provider.name(), backend.description(), seen));
    }
}
