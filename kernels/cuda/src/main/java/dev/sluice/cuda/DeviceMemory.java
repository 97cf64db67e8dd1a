package dev.sluice.cuda;

import dev.sluice.compute.Lifetime;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.Offload;
import dev.sluice.compute.OutOfMemoryException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashSet;
import java.util.Set;
import jcuda.driver.JCudaDriver;

/// All device memory of a backend, and the pinned buffers that fill and empty it. An outermost scope has a region of its own; a
/// step's region is kept when the step ends, so that the next step's allocations get the same addresses.
final class DeviceMemory implements Memory {
    private final Device device;
    private final VirtualMemory memory;
    private final Staging staging;
    private final Set<Region> open = new HashSet<>();
    private final Deque<Region> waiting = new ArrayDeque<>();

    DeviceMemory(Device device) {
        this.device = device;
        this.memory = new VirtualMemory(device.library(), device.gpu().ordinal());
        this.staging = new Staging(device);
    }

    @Override
    public DeviceScope scope(Lifetime lifetime, String name) {
        device.checkThread();
        var region = lifetime == Lifetime.STEP && !waiting.isEmpty() ? waiting.pop() : new Region(memory, device.gpu().memoryBytes());
        open.add(region);
        return new DeviceScope(name, lifetime, this, region);
    }

    /// @throws OutOfMemoryException if it fits nowhere, even after idle step memory was given back
    long take(Region region, String what, long bytes) {
        device.checkThread();
        long address = region.take(bytes);
        if (address < 0 && !waiting.isEmpty()) {
            releaseWaiting();
            address = region.take(bytes);
        }
        if (address < 0) {
            throw new OutOfMemoryException(what, bytes, status().freeBytes());
        }
        return address;
    }

    /// An outermost scope ended.
    void ended(Region region, Lifetime lifetime) {
        if (!open.remove(region)) {
            return;
        }
        region.rewind(0);
        switch (lifetime) {
            case STEP -> waiting.push(region);
            case RUN, PROCESS -> {
                device.synchronize();
                region.release();
            }
        }
    }

    private void releaseWaiting() {
        device.synchronize();
        waiting.forEach(Region::release);
        waiting.clear();
    }

    @Override
    public MemoryStatus status() {
        device.checkThread();
        long[] free = new long[1];
        long[] total = new long[1];
        JCudaDriver.cuMemGetInfo(free, total);
        long idle = waiting.stream().mapToLong(Region::idle).sum();
        return new MemoryStatus(total[0], Math.min(total[0], free[0] + idle));
    }

    @Override
    public void upload(MemorySegment host, long address) {
        staging.upload(host, address);
    }

    @Override
    public void download(long address, MemorySegment host) {
        staging.download(address, host);
    }

    @Override
    public Offload offload() {
        return new PinnedOffload(device);
    }

    @Override
    public void close() {
        staging.close();
        waiting.forEach(Region::release);
        open.forEach(Region::release);
        waiting.clear();
        open.clear();
    }
}
