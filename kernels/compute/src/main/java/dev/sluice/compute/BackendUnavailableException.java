package dev.sluice.compute;

/// The backend that was asked for by name cannot run here, or no such backend exists. Never answered by a fallback.
public final class BackendUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BackendUnavailableException(String message) {
        super(message);
    }
}
