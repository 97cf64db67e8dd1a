package dev.sluice.compute.cpu;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;

/// What all scopes share: names, the stack discipline and the byte counts. Where the memory comes from is the subclass's.
abstract class CpuScope implements Scope {
    /// One cache line, and one AVX-512 vector.
    static final long ALIGNMENT = 64;

    private final String name;
    private final Lifetime lifetime;
    private final CpuScope parent;
    private CpuScope child;
    private long bytes;
    private long peakBytes;
    private boolean open = true;

    CpuScope(String name, Lifetime lifetime, CpuScope parent) {
        this.name = name;
        this.lifetime = lifetime;
        this.parent = parent;
    }

    /// Memory for one tensor, aligned to [#ALIGNMENT].
    abstract MemorySegment reserve(String what, long bytes);

    abstract CpuScope nested(String childName);

    /// Gives all memory back.
    abstract void release();

    @Override
    public Tensor allocate(String tensorName, DType dtype, long... shape) {
        requireUsable("allocate " + tensorName);
        long wanted = dtype.bytes(Tensor.elements(tensorName, shape));
        var tensor = new Tensor(tensorName, dtype, shape, reserve(name + "/" + tensorName, wanted), this);
        count(padded(wanted));
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
        bytes += change;
        peakBytes = Math.max(peakBytes, bytes);
        if (parent != null) {
            parent.count(change);
        }
    }

    /// Bytes that an allocation of `bytes` takes up.
    static long padded(long bytes) {
        return Math.addExact(bytes, ALIGNMENT - 1) & -ALIGNMENT;
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
