package dev.sluice.trainer.publish;

import dev.sluice.compute.BackendDecision;
import dev.sluice.contracts.job.JobSpec;
import dev.sluice.contracts.job.ModelRef;
import dev.sluice.trainer.run.StepRecord;
import java.util.List;
import java.util.Map;

/// `run.json`: what was run, on what, and every step of it.
///
/// @param model base model with its hash
/// @param seconds wall-clock time of all attempts
/// @param versions of program and Java
public record RunReport(String jobId, int attempt, long token, ModelRef model, String preparedId, JobSpec spec, BackendDecision backend,
        Map<String, String> versions, double seconds, List<StepRecord> steps) {
    public RunReport {
        versions = Map.copyOf(versions);
        steps = List.copyOf(steps);
    }
}
