package dev.sluice.cuda;

import dev.sluice.compute.DryOffload;
import dev.sluice.compute.DryScope;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.Offload;
import dev.sluice.compute.Scope;
import java.lang.foreign.MemorySegment;

/// Counts what a backend would take of a device's memory. There is nothing behind the addresses.
///
/// @param bytes of the device
record DryMemory(long bytes) implements Memory {
    @Override
    public MemoryStatus status() {
        return new MemoryStatus(bytes, bytes);
    }

    @Override
    public Scope scope(Lifetime lifetime, String name) {
        return new DryScope(name, lifetime, Region.ALIGNMENT);
    }

    @Override
    public void upload(MemorySegment host, long address) {
        // There is nothing to fill.
    }

    @Override
    public void download(long address, MemorySegment host) {
        throw new UnsupportedOperationException("a dry run has no numbers");
    }

    @Override
    public Offload offload() {
        return new DryOffload();
    }

    @Override
    public void close() {
        // There is nothing to give back.
    }
}
