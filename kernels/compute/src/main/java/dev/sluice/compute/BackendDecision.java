package dev.sluice.compute;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;

/// Why this backend: logged, exported and stored with the adapter.
///
/// @param requested what configuration asked for, `auto` or a name
/// @param chosen name of the backend that runs
/// @param description its device and versions
/// @param kernels SHA-256 of its kernel images; empty where it has none
/// @param workload the shapes that candidates were timed at; empty where they were not
/// @param candidates everything looked at, in order of preference
public record BackendDecision(String requested, String chosen, String description, String kernels, String workload,
        List<Candidate> candidates) {
    /// Records of earlier versions lack what they did not know.
    public BackendDecision {
        kernels = Objects.requireNonNullElse(kernels, "");
        workload = Objects.requireNonNullElse(workload, "");
        candidates = List.copyOf(candidates);
    }

    /// The chosen one among the candidates.
    public Candidate choice() {
        return candidates.stream().filter(candidate -> candidate.name().equals(chosen)).findFirst()
                .orElseThrow(() -> new IllegalStateException("the decision for " + chosen + " lacks it among its candidates"));
    }

    /// @param reason why it was taken, refused or not needed
    /// @param checks what its operations were found to be off by, one entry an operation; empty where it was not compared
    /// @param milliseconds of operations at the workload, forward and backward; empty where it was not timed
    public record Candidate(String name, boolean available, String reason, List<Check> checks, SortedMap<String, Double> milliseconds) {
        public Candidate {
            checks = List.copyOf(Objects.requireNonNullElse(checks, List.of()));
            milliseconds = Collections.unmodifiableSortedMap(new TreeMap<>(Objects.requireNonNullElse(milliseconds, Map.of())));
        }

        public Candidate(String name, boolean available, String reason) {
            this(name, available, reason, List.of(), new TreeMap<>());
        }
    }

    /// An operation beside the reference.
    ///
    /// @param output the output that came nearest to its bound, or went furthest beyond
    /// @param error relative Frobenius error, infinite where something was not written; for integers the largest difference
    public record Check(String operation, String output, double error, double bound) {
        /// The error as a share of its bound.
        public double share() {
            return bound == 0 ? error : error / bound;
        }

        /// Within its bound.
        public boolean right() {
            return error <= bound;
        }
    }
}
