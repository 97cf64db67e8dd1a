package dev.sluice.contracts.log;

/// Another producer has claimed this transactional id: whoever gets this is a zombie and must stop writing for good.
public final class FencedException extends RuntimeException {
    FencedException(String transactionalId, Throwable cause) {
        super("transactional id " + transactionalId + " belongs to a newer owner; this one writes nothing any more", cause);
    }
}
