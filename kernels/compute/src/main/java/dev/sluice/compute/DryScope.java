package dev.sluice.compute;

import java.lang.foreign.MemorySegment;

/// A scope whose tensors have addresses and no memory behind them. It measures what allocations come to, as a backend's own scope
/// would count them; nobody may read or write its tensors.
public final class DryScope extends NestedScope {
    /// Where addresses begin: not at 0, which operations take for a tensor that is not there.
    private static final long FIRST_ADDRESS = 1 << 20;

    private final long alignment;
    private final long start;

    /// @param alignment bytes that every tensor takes a multiple of, a power of two
    public DryScope(String name, Lifetime lifetime, long alignment) {
        this(name, lifetime, alignment, FIRST_ADDRESS, null);
    }

    private DryScope(String name, Lifetime lifetime, long alignment, long start, DryScope parent) {
        super(name, lifetime, alignment, parent);
        this.alignment = alignment;
        this.start = start;
    }

    @Override
    protected MemorySegment reserve(String what, long bytes) {
        return MemorySegment.ofAddress(start + bytes()).reinterpret(bytes);
    }

    @Override
    protected NestedScope nested(String childName) {
        return new DryScope(childName, lifetime(), alignment, start + bytes(), this);
    }

    @Override
    protected void release() {
        // There is nothing to give back.
    }
}
