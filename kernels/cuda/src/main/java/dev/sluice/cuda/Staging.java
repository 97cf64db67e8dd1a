package dev.sluice.cuda;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/// Copies between ordinary host memory and the device through two pinned buffers, so that filling one overlaps emptying the other.
final class Staging implements AutoCloseable {
    private static final int BYTES = 4 << 20;

    private final Device device;
    private final Half[] halves = {new Half(), new Half()};
    private int next;

    private static final class Half {
        private final Pointer pointer = new Pointer();
        private final CUevent free = new CUevent();
        private MemorySegment memory;
        private boolean used;
    }

    Staging(Device device) {
        this.device = device;
        for (var half : halves) {
            JCudaDriver.cuMemHostAlloc(half.pointer, BYTES, 0);
            JCudaDriver.cuEventCreate(half.free, CUevent_flags.CU_EVENT_DISABLE_TIMING);
            half.memory = MemorySegment.ofBuffer(half.pointer.getByteBuffer(0, BYTES));
        }
    }

    /// Returns once the host bytes were read; the device may still be receiving them.
    void upload(MemorySegment host, long address) {
        device.refuseWhileRecording("a copy to the device");
        for (long done = 0; done < host.byteSize(); done += BYTES) {
            long bytes = Math.min(BYTES, host.byteSize() - done);
            var half = take();
            half.memory.asSlice(0, bytes).copyFrom(host.asSlice(done, bytes));
            device.library().copyToDevice(address + done, half.memory, bytes, device.stream());
            JCudaDriver.cuEventRecord(half.free, device.jcudaStream());
        }
    }

    /// Returns once the host bytes are written.
    void download(long address, MemorySegment host) {
        device.refuseWhileRecording("a copy from the device");
        for (long done = 0; done < host.byteSize(); done += BYTES) {
            long bytes = Math.min(BYTES, host.byteSize() - done);
            var half = take();
            device.library().copyToHost(half.memory, address + done, bytes, device.stream());
            device.synchronize();
            host.asSlice(done, bytes).copyFrom(half.memory.asSlice(0, bytes));
        }
    }

    private Half take() {
        var half = halves[next];
        next ^= 1;
        if (half.used) {
            JCudaDriver.cuEventSynchronize(half.free);
        }
        half.used = true;
        return half;
    }

    @Override
    public void close() {
        for (var half : halves) {
            JCudaDriver.cuEventDestroy(half.free);
            JCudaDriver.cuMemFreeHost(half.pointer);
        }
    }
}
