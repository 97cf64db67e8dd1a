package dev.sluice.cuda;

import dev.sluice.compute.Lifetime;
import dev.sluice.compute.NestedScope;
import java.lang.foreign.MemorySegment;

/// A scope in device memory: allocation moves the region's mark, closing moves it back.
final class DeviceScope extends NestedScope {
    private final DeviceMemory memory;
    private final Region region;
    private final long start;
    private final boolean outermost;

    DeviceScope(String name, Lifetime lifetime, DeviceMemory memory, Region region) {
        this(name, lifetime, memory, region, null);
    }

    private DeviceScope(String name, Lifetime lifetime, DeviceMemory memory, Region region, DeviceScope parent) {
        super(name, lifetime, Region.ALIGNMENT, parent);
        this.memory = memory;
        this.region = region;
        this.start = region.used();
        this.outermost = parent == null;
    }

    @Override
    protected MemorySegment reserve(String what, long bytes) {
        return MemorySegment.ofAddress(memory.take(region, what, bytes)).reinterpret(bytes);
    }

    @Override
    protected NestedScope nested(String childName) {
        return new DeviceScope(childName, lifetime(), memory, region, this);
    }

    @Override
    protected void release() {
        if (outermost) {
            memory.ended(region, lifetime());
        } else {
            region.rewind(start);
        }
    }
}
