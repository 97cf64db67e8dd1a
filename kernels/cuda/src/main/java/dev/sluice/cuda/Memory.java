package dev.sluice.cuda;

import dev.sluice.compute.Lifetime;
import dev.sluice.compute.MemoryStatus;
import dev.sluice.compute.Offload;
import dev.sluice.compute.Scope;
import java.lang.foreign.MemorySegment;

/// Where a backend's tensors lie, and their way from and to the host: a GPU's memory, or that of a dry run.
sealed interface Memory extends AutoCloseable permits DeviceMemory, DryMemory {
    static Memory of(Device device) {
        return device.dry() ? new DryMemory(device.gpu().memoryBytes()) : new DeviceMemory(device);
    }

    MemoryStatus status();

    /// An outermost scope.
    Scope scope(Lifetime lifetime, String name);

    /// Returns once the host bytes were read.
    void upload(MemorySegment host, long address);

    /// Returns once the host bytes are written.
    ///
    /// @throws UnsupportedOperationException in a dry run
    void download(long address, MemorySegment host);

    Offload offload();

    @Override
    void close();
}
