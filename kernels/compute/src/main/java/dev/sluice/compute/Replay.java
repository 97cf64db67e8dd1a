package dev.sluice.compute;

import java.util.function.Consumer;

/// Work that gives the device the same orders every time: done once, recorded the second time, and then replayed as a whole, which
/// saves the time that single launches take. Belongs to the backend's thread and must be closed before what the work uses.
public interface Replay extends AutoCloseable {
    /// Records nothing.
    Replay NONE = (_, scope, work) -> {
        try (Scope own = scope.child("work")) {
            work.accept(own);
        }
    };

    /// Runs the work or its recording. The work may be called or not; it must neither wait for the device nor pass numbers to it that
    /// differ between calls with equal keys. A recording is only used where it finds memory at the addresses it was made with.
    ///
    /// @param key equal only for equal work
    /// @param scope of a step, in the state that it always has here for this key; what the work allocates is freed afterwards
    /// @param work gets a child of the scope
    void run(Object key, Scope scope, Consumer<Scope> work);

    /// How often a recording was used.
    default long replayed() {
        return 0;
    }

    /// Forgets all recordings.
    @Override
    default void close() {}
}
