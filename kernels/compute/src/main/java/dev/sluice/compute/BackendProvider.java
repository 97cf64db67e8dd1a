package dev.sluice.compute;

/// Announces a backend to [Backends] through [java.util.ServiceLoader]. Loading and probing never throw for a missing
/// driver, library or device: that is an [Availability.Unavailable] with its reason.
public interface BackendProvider {
    /// The backend's name in configuration: `cpu`, `portable`, `hopper`.
    String name();

    /// Order of preference under `auto`; the largest available one is taken.
    int preference();

    /// Looks without side effects whether the backend can run.
    Availability probe();

    /// Opens the backend on the calling thread.
    ///
    /// @throws IllegalStateException if it is unavailable
    Backend open();
}
