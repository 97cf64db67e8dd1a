package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.compute.HostMemory;
import dev.sluice.compute.Offload;
import dev.sluice.compute.OutOfMemoryException;
import dev.sluice.compute.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/// Slots in pinned host memory, filled and emptied by the device's copy engines on the copy stream. Events order it and the compute
/// stream.
final class PinnedOffload implements Offload {
    private final Device device;
    private final MethodHandle pin;
    private final MethodHandle unpin;
    /// That the compute stream has come as far as the latest copy must wait for.
    private final CUevent ready = event();
    private final Map<Integer, Slot> slots = new HashMap<>();
    private boolean open = true;

    /// @param copied recorded behind the slot's last copy
    private record Slot(MemorySegment memory, CUevent copied) {}

    PinnedOffload(Device device) {
        this.device = device;
        this.pin = device.library().function("cuMemHostAlloc", ADDRESS, JAVA_LONG, JAVA_INT);
        this.unpin = device.library().function("cuMemFreeHost", JAVA_LONG);
    }

    private static CUevent event() {
        var event = new CUevent();
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING);
        return event;
    }

    @Override
    public void store(int slot, Tensor from) {
        begin("a copy to the host");
        Slot into = grown(slot, from);
        device.library().copyToHost(into.memory, from.address(), from.bytes(), device.copyStream());
        JCudaDriver.cuEventRecord(into.copied, device.jcudaCopyStream());
    }

    @Override
    public void fetch(int slot, Tensor to) {
        begin("a copy from the host");
        Slot from = slots.get(slot);
        if (from == null || from.memory.byteSize() < to.bytes()) {
            throw new IllegalArgumentException("fetch: slot " + slot + " should hold the " + to.bytes() + " bytes of " + to + ", it has "
                    + (from == null ? 0 : from.memory.byteSize()));
        }
        device.library().copyToDevice(to.address(), from.memory, to.bytes(), device.copyStream());
        JCudaDriver.cuEventRecord(from.copied, device.jcudaCopyStream());
    }

    /// Lets copies wait for what the compute stream has been given so far.
    private void begin(String what) {
        device.checkThread();
        device.refuseWhileRecording(what);
        JCudaDriver.cuEventRecord(ready, device.jcudaStream());
        JCudaDriver.cuStreamWaitEvent(device.jcudaCopyStream(), ready, 0);
    }

    @Override
    public void await(int slot) {
        device.checkThread();
        JCudaDriver.cuStreamWaitEvent(device.jcudaStream(), slots.get(slot).copied, 0);
    }

    /// The slot, with room for the tensor.
    private Slot grown(int slot, Tensor tensor) {
        Slot held = slots.get(slot);
        if (held != null && held.memory.byteSize() >= tensor.bytes()) {
            return held;
        }
        if (held != null) {
            device.synchronize();
            release(slots.remove(slot));
        }
        var fresh = new Slot(pinned(Offload.capacity(tensor.bytes()), tensor), event());
        slots.put(slot, fresh);
        return fresh;
    }

    private MemorySegment pinned(long bytes, Tensor tensor) {
        String what = "a copy of " + tensor + " in pinned host memory";
        HostMemory.requireFree(what, bytes);
        try (var arena = Arena.ofConfined()) {
            var address = arena.allocate(JAVA_LONG);
            int error = DriverLibrary.call(pin, address, bytes, 0);
            if (error == DriverLibrary.OUT_OF_MEMORY) {
                throw new OutOfMemoryException(what, bytes, HostMemory.status().freeBytes());
            }
            device.library().check(error, "cuMemHostAlloc of " + bytes + " bytes");
            return MemorySegment.ofAddress(address.get(JAVA_LONG, 0)).reinterpret(bytes);
        }
    }

    private void release(Slot slot) {
        JCudaDriver.cuEventDestroy(slot.copied);
        device.library().check(DriverLibrary.call(unpin, slot.memory.address()), "cuMemFreeHost");
    }

    @Override
    public long bytes() {
        return slots.values().stream().mapToLong(slot -> slot.memory.byteSize()).sum();
    }

    @Override
    public void close() {
        if (open) {
            open = false;
            device.synchronize();
            slots.values().forEach(this::release);
            slots.clear();
            JCudaDriver.cuEventDestroy(ready);
        }
    }
}
