package dev.sluice.bench;

/// A wrong argument, said in one line.
public final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public Refusal(String message) {
        super(message);
    }
}
