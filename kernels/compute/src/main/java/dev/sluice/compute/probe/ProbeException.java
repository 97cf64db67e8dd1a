package dev.sluice.compute.probe;

/// An operation that a probe tried threw.
public final class ProbeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ProbeException(String message, RuntimeException cause) {
        super(message, cause);
    }
}
