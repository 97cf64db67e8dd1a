package dev.sluice.ingest.job;

import dev.sluice.contracts.job.JobPhase;

/// What a submitted job came to.
///
/// @param jobId the job that does the work: the new one, or the first with the same key
/// @param phase where it stands, or null when it was not taken in yet
/// @param isNew whether this submission made it
public record Submission(String jobId, JobPhase phase, boolean isNew) {}
