package dev.sluice.ingest.rest;

import dev.sluice.contracts.job.JobPhase;

/// Answer to `POST /jobs`.
///
/// @param jobId follow it with `GET /jobs/{id}`
/// @param phase where it stands, or null when it was not taken in yet
record SubmittedJob(String jobId, JobPhase phase) {}
