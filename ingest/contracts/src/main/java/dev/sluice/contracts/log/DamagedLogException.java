package dev.sluice.contracts.log;

/// The log does not hold what its description promised: other count, other hash, or messages gone by retention.
public final class DamagedLogException extends RuntimeException {
    DamagedLogException(String message) {
        super(message);
    }

    DamagedLogException(String message, Throwable cause) {
        super(message, cause);
    }
}
