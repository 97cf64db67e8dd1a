package dev.sluice.ingest.prepare;

import dev.sluice.contracts.job.JobCode;

/// The job cannot be done, and trying again would not help.
public final class RejectedException extends Exception {

    private final JobCode code;

    /// @param reason what was found and the way out
    public RejectedException(JobCode code, String reason) {
        super(reason);
        this.code = code;
    }

    public JobCode code() {
        return code;
    }
}
