package dev.sluice.compute;

import java.nio.file.Path;

/// How `auto` picks among backends that all compute right.
public sealed interface Tuning {
    /// The most preferred one.
    record Off() implements Tuning {}

    /// The one that is fastest at the run's own shapes.
    ///
    /// @param cache file of earlier measurements; written, and measured anew where it cannot be read
    record Fastest(Workload workload, Path cache) implements Tuning {
        /// Beyond so many tokens attention decides, the way it does here.
        static final int MOST_TOKENS = 1 << 15;

        public Fastest {
            workload = workload.bucket(MOST_TOKENS);
        }
    }

    /// [Off].
    Tuning OFF = new Off();
}
