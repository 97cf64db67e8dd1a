package dev.sluice.trainer.ownership;

import dev.sluice.contracts.job.JobState;
import java.time.Instant;
import java.util.List;

/// What to write, given the job as it stands. May be asked again after the owner had to claim anew.
@FunctionalInterface
public interface Edit {
    List<JobState> apply(JobState job, Instant now);
}
