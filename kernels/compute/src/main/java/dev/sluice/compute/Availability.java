package dev.sluice.compute;

/// Whether a backend can run here.
public sealed interface Availability {
    /// It can; [BackendProvider#open] will succeed unless memory runs out.
    record Available(String description) implements Availability {}

    /// It cannot, and why, in words an operator can act on.
    record Unavailable(String reason) implements Availability {}
}
