package dev.sluice.compute;

/// A named region of a backend's memory that is freed as a whole.
///
/// Scopes nest like a stack: while a child is open its parent may not allocate, and closing the child hands its memory
/// back to the parent. The same sequence of allocations therefore gives the same addresses every time, which is what
/// lets a whole step be captured once and replayed. Not thread-safe: a scope belongs to the thread that opened it.
public interface Scope extends AutoCloseable {
    String name();

    Lifetime lifetime();

    /// Allocates an uninitialised tensor; its contents are arbitrary until written.
    ///
    /// @throws OutOfMemoryException if it does not fit, with the numbers
    /// @throws IllegalStateException if the scope is closed or a child of it is open
    Tensor allocate(String name, DType dtype, long... shape);

    /// Opens a scope inside this one, of the same lifetime; it must be closed before this one allocates again.
    Scope child(String name);

    /// Bytes handed out now, children included.
    long bytes();

    /// The largest value [#bytes()] ever had.
    long peakBytes();

    boolean isOpen();

    /// Frees everything allocated here. Closing twice is harmless.
    @Override
    void close();
}
