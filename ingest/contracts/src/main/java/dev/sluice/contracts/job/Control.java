package dev.sluice.contracts.job;

import dev.sluice.contracts.wire.Check;
import java.time.Instant;

/// A wish about a job that may already run: `control.v1`.
///
/// @param requestedBy who asks, free text
/// @param reason why, free text; may be null
public record Control(String jobId, ControlOperation operation, String requestedBy, String reason, Instant at) {
    public Control {
        Check.text(jobId, "job_id");
        Check.present(operation, "operation");
        Check.present(at, "at");
    }
}
