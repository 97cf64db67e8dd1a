package dev.sluice.model;

/// A model is well-formed but asks for something that is not implemented: an unknown `model_type`, a rope variant,
/// an activation. The message says what is known.
public final class UnsupportedModelException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public UnsupportedModelException(String message) {
        super(message);
    }
}
