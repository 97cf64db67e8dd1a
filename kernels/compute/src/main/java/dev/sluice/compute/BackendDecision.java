package dev.sluice.compute;

import java.util.List;

/// Why this backend: logged, exported and stored with the adapter.
///
/// @param requested what configuration asked for, `auto` or a name
/// @param chosen name of the backend that runs
/// @param description its device and versions
/// @param candidates everything looked at, in order of preference
public record BackendDecision(String requested, String chosen, String description, List<Candidate> candidates) {
    public BackendDecision {
        candidates = List.copyOf(candidates);
    }

    /// @param reason why it was taken, refused or not needed
    public record Candidate(String name, boolean available, String reason) {}
}
