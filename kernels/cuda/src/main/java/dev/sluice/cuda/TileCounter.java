package dev.sluice.cuda;

import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/// Ints on the device that are 0 between kernels: blocks of one draw their tiles from one of them, or count who has come, and the last clears it.
final class TileCounter implements AutoCloseable {
    private final Counter counter = new Counter();

    private static final class Counter extends CUdeviceptr {
        long address() {
            return getNativePointer();
        }
    }

    TileCounter(int counters) {
        JCudaDriver.cuMemAlloc(counter, (long) counters * Integer.BYTES);
        JCudaDriver.cuMemsetD32(counter, 0, counters);
        JCudaDriver.cuCtxSynchronize();
    }

    long address() {
        return counter.address();
    }

    @Override
    public void close() {
        JCudaDriver.cuMemFree(counter);
    }
}
