package dev.sluice.compute.cpu;

import dev.sluice.compute.HostMemory;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.NestedScope;
import dev.sluice.compute.OutOfMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// A scope of the process or of a run: every tensor is an allocation of its own, freed when the scope closes.
final class HeldScope extends NestedScope {
    /// Shared, because loaders fill tensors from several threads.
    private final Arena arena = Arena.ofShared();

    HeldScope(String name, Lifetime lifetime, NestedScope parent) {
        super(name, lifetime, StepMemory.ALIGNMENT, parent);
    }

    @Override
    protected MemorySegment reserve(String what, long bytes) {
        HostMemory.requireFree(what, bytes);
        try {
            return arena.allocate(bytes, StepMemory.ALIGNMENT);
        } catch (OutOfMemoryError refused) {
            throw new OutOfMemoryException(what, bytes, HostMemory.status().freeBytes());
        }
    }

    @Override
    protected NestedScope nested(String childName) {
        return new HeldScope(childName, lifetime(), this);
    }

    @Override
    protected void release() {
        arena.close();
    }
}
