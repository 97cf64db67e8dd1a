package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;

/// A scope in device memory: allocation moves the region's mark, closing moves it back.
final class DeviceScope implements Scope {
    private final String name;
    private final Lifetime lifetime;
    private final DeviceMemory memory;
    private final Region region;
    private final DeviceScope parent;
    private final long start;
    private DeviceScope child;
    private long peak;
    private boolean open = true;

    DeviceScope(String name, Lifetime lifetime, DeviceMemory memory, Region region) {
        this(name, lifetime, memory, region, null);
    }

    private DeviceScope(String name, Lifetime lifetime, DeviceMemory memory, Region region, DeviceScope parent) {
        this.name = name;
        this.lifetime = lifetime;
        this.memory = memory;
        this.region = region;
        this.parent = parent;
        this.start = region.used();
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
        checkUsable("tensor " + tensor + " cannot be allocated");
        long bytes = dtype.bytes(Tensor.elements(tensor, shape));
        long address = memory.take(region, tensor + " in scope " + name, bytes);
        for (var scope = this; scope != null; scope = scope.parent) {
            scope.peak = Math.max(scope.peak, scope.bytes());
        }
        return new Tensor(tensor, dtype, shape, MemorySegment.ofAddress(address).reinterpret(bytes), this);
    }

    @Override
    public Scope child(String childName) {
        checkUsable("scope " + childName + " cannot be opened");
        child = new DeviceScope(childName, lifetime, memory, region, this);
        return child;
    }

    private void checkUsable(String what) {
        if (!open) {
            throw new IllegalStateException(what + ": scope " + name + " is closed");
        }
        if (child != null) {
            throw new IllegalStateException(what + ": scope " + name + " has an open child, " + child.name);
        }
    }

    @Override
    public long bytes() {
        return open ? region.used() - start : 0;
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
        if (!open) {
            return;
        }
        if (child != null) {
            child.close();
        }
        open = false;
        if (parent == null) {
            memory.ended(region, lifetime);
        } else {
            region.rewind(start);
            parent.child = null;
        }
    }
}
