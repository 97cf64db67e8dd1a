package dev.sluice.compute;

import java.lang.foreign.MemorySegment;

/// What the scopes of all backends share: names, the stack discipline and the byte counts. Where memory comes from is the subclass's.
public abstract class NestedScope implements Scope {
    private final String name;
    private final Lifetime lifetime;
    private final long alignment;
    private final NestedScope parent;
    private NestedScope child;
    private long bytes;
    private long peakBytes;
    private boolean open = true;

    /// @param alignment bytes that every tensor takes a multiple of, a power of two
    /// @param parent null for an outermost scope
    protected NestedScope(String name, Lifetime lifetime, long alignment, NestedScope parent) {
        this.name = name;
        this.lifetime = lifetime;
        this.alignment = alignment;
        this.parent = parent;
    }

    /// Aligned memory for one tensor.
    ///
    /// @throws OutOfMemoryException if it does not fit
    protected abstract MemorySegment reserve(String what, long bytes);

    /// A scope whose parent is this one.
    protected abstract NestedScope nested(String childName);

    /// Gives all memory back.
    protected abstract void release();

    @Override
    public Tensor allocate(String tensorName, DType dtype, long... shape) {
        requireUsable("allocate " + tensorName);
        long wanted = dtype.bytes(Tensor.elements(tensorName, shape));
        var tensor = new Tensor(tensorName, dtype, shape, reserve(name + "/" + tensorName, wanted), this);
        count(padded(wanted, alignment));
        return tensor;
    }

    @Override
    public Scope child(String childName) {
        requireUsable("open a child " + childName);
        child = nested(childName);
        return child;
    }

    private void requireUsable(String action) {
        if (!open) {
            throw new IllegalStateException("scope " + name + " cannot " + action + ": it is closed");
        }
        if (child != null) {
            throw new IllegalStateException("scope " + name + " cannot " + action + " while its child " + child.name + " is open");
        }
    }

    private void count(long change) {
        bytes = Math.addExact(bytes, change);
        peakBytes = Math.max(peakBytes, bytes);
        if (parent != null) {
            parent.count(change);
        }
    }

    /// Bytes that an allocation of `bytes` takes up.
    public static long padded(long bytes, long alignment) {
        return Math.addExact(bytes, alignment - 1) & -alignment;
    }

    @Override
    public void close() {
        if (!open) {
            return;
        }
        if (child != null) {
            child.close();
        }
        open = false;
        release();
        if (parent != null) {
            parent.count(-bytes);
            parent.child = null;
        }
        bytes = 0;
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
    public long bytes() {
        return bytes;
    }

    @Override
    public long peakBytes() {
        return peakBytes;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public String toString() {
        return lifetime + " scope " + name;
    }
}
