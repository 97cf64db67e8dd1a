package dev.sluice.trainer.ownership;

/// Another trainer owns the job now. Whoever gets this drops the job at once and publishes nothing.
public final class OwnershipLostException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public OwnershipLostException(String message) {
        super(message);
    }
}
