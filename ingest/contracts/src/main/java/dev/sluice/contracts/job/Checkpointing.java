package dev.sluice.contracts.job;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.sluice.contracts.wire.FieldChecks;

/// How often a run saves itself.
///
/// @param everySteps `save_steps`, default 50
/// @param keep `save_total_limit`: checkpoints kept, default 2 (so that a damaged one has a predecessor)
public record Checkpointing(@JsonProperty("save_steps") Integer everySteps, @JsonProperty("save_total_limit") Integer keep) {
    public Checkpointing {
        everySteps = everySteps == null ? 50 : everySteps;
        keep = keep == null ? 2 : keep;
        new FieldChecks().atLeast(everySteps, 1, "save_steps").atLeast(keep, 1, "save_total_limit").verify();
    }

    public static Checkpointing defaults() {
        return new Checkpointing(null, null);
    }
}
