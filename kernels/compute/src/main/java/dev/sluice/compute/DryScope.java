package dev.sluice.compute;

import java.lang.foreign.MemorySegment;

/// A scope whose tensors have addresses and no memory behind them. It measures what allocations come to, as a backend's own scope
/// would count them; nobody may read or write its tensors.
public final class DryScope implements Scope {
    /// Where addresses begin: not at 0, which operations take for a tensor that is not there.
    private static final long FIRST_ADDRESS = 1 << 20;

    private final String name;
    private final Lifetime lifetime;
    private final long alignment;
    private final DryScope parent;
    private final long start;
    private DryScope child;
    private long used;
    private long peak;
    private boolean open = true;

    /// @param alignment bytes that every tensor takes a multiple of, a power of two
    public DryScope(String name, Lifetime lifetime, long alignment) {
        this(name, lifetime, alignment, null, 0);
    }

    private DryScope(String name, Lifetime lifetime, long alignment, DryScope parent, long start) {
        this.name = name;
        this.lifetime = lifetime;
        this.alignment = alignment;
        this.parent = parent;
        this.start = start;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Lifetime lifetime() {
        return lifetime;
    }

    @Override
    public Tensor allocate(String tensor, DType dtype, long... shape) {
        checkUsable("allocate " + tensor);
        long bytes = dtype.bytes(Tensor.elements(tensor, shape));
        long address = FIRST_ADDRESS + start + used;
        used = Math.addExact(used, Math.addExact(bytes, alignment - 1) & -alignment);
        peak = Math.max(peak, used);
        for (var scope = this; scope.parent != null; scope = scope.parent) {
            scope.parent.peak = Math.max(scope.parent.peak, scope.start - scope.parent.start + scope.peak);
        }
        return new Tensor(tensor, dtype, shape, MemorySegment.ofAddress(address).reinterpret(bytes), this);
    }

    @Override
    public Scope child(String childName) {
        checkUsable("open a child " + childName);
        child = new DryScope(childName, lifetime, alignment, this, start + used);
        return child;
    }

    private void checkUsable(String action) {
        if (!open || child != null) {
            throw new IllegalStateException("scope " + name + " cannot " + action + (open ? " while its child " + child.name + " is open"
                    : ": it is closed"));
        }
    }

    @Override
    public long bytes() {
        return child == null ? used : used + child.bytes();
    }

    @Override
    public long peakBytes() {
        return peak;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void close() {
        if (open) {
            if (child != null) {
                child.close();
            }
            open = false;
            used = 0;
            if (parent != null) {
                parent.child = null;
            }
        }
    }
}
