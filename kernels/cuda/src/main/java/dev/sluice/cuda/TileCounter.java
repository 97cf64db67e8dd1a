package dev.sluice.cuda;

import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;

/// An int on the device that is 0 between kernels: blocks of one draw their tiles from it, and the last draw clears it.
final class TileCounter implements AutoCloseable {
    private final Counter counter = new Counter();

    private static final class Counter extends CUdeviceptr {
        long address() {
            return getNativePointer();
        }
    }

    TileCounter() {
        JCudaDriver.cuMemAlloc(counter, Integer.BYTES);
        JCudaDriver.cuMemsetD32(counter, 0, 1);
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
