package dev.sluice.trainer.fate;

import dev.sluice.contracts.job.JobCode;

/// A job cannot go on, and we know why: carries its fate.
public final class JobException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final transient Fate fate;

    private JobException(Fate fate, String reason, Throwable cause) {
        super(reason, cause);
        this.fate = fate;
    }

    public static JobException reject(JobCode code, String reason) {
        return new JobException(new Fate.Reject(code, reason), reason, null);
    }

    public static JobException reject(JobCode code, Throwable cause) {
        return new JobException(new Fate.Reject(code, cause.getMessage()), cause.getMessage(), cause);
    }

    public static JobException retry(JobCode code, String reason, Throwable cause) {
        return new JobException(new Fate.Retry(code, reason), reason, cause);
    }

    public Fate fate() {
        return fate;
    }
}
