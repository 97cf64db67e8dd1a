package dev.sluice.cuda;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/// An open GPU: its context, one compute stream and one module of kernels. It belongs to the thread that opened it, because CUDA
/// contexts are per thread.
final class Device implements AutoCloseable {
    private static final int DYNAMIC_SHARED_BYTES = 8;
    private static final int DEFAULT_SHARED_BYTES = 48 * 1024;

    private final DriverLibrary library;
    private final Gpu gpu;
    private final Thread owner = Thread.currentThread();
    private final CUdevice handle = new CUdevice();
    private final CUmodule module = new CUmodule();
    private final Stream stream = new Stream();
    private final Map<String, Kernel> kernels = new HashMap<>();
    private final LaunchMemory launchMemory = new LaunchMemory();
    private final Fault fault;
    private boolean open = true;

    /// A kernel of the module. `launches` counts how often it ran, which tells whether the chosen kernels really do.
    static final class Kernel {
        private final String name;
        private final long address;
        private final CUfunction function;
        private int sharedBytes = DEFAULT_SHARED_BYTES;
        private long launches;

        private Kernel(String name, Function function) {
            this.name = name;
            this.function = function;
            this.address = function.address();
        }

        String name() {
            return name;
        }

        long address() {
            return address;
        }
    }

    /// Gives the driver's own number of a function.
    private static final class Function extends CUfunction {
        long address() {
            return getNativePointer();
        }
    }

    private static final class Stream extends CUstream {
        long address() {
            return getNativePointer();
        }
    }

    Device(DriverLibrary library, Gpu gpu, KernelImage image) {
        this.library = library;
        this.gpu = gpu;
        JCudaNatives.load();
        JCudaDriver.cuInit(0);
        JCudaDriver.cuDeviceGet(handle, gpu.ordinal());
        var context = new CUcontext();
        JCudaDriver.cuDevicePrimaryCtxRetain(context, handle);
        JCudaDriver.cuCtxSetCurrent(context);
        JCudaDriver.cuModuleLoadData(module, image.bytes());
        JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
        fault = new Fault();
    }

    DriverLibrary library() {
        return library;
    }

    Gpu gpu() {
        return gpu;
    }

    long stream() {
        return stream.address();
    }

    CUstream jcudaStream() {
        return stream;
    }

    /// Begins a launch of the named kernel.
    Launch launch(String name) {
        checkThread();
        return new Launch(this, kernels.computeIfAbsent(name, this::find), launchMemory);
    }

    private Kernel find(String name) {
        var function = new Function();
        JCudaDriver.cuModuleGetFunction(function, module, name);
        return new Kernel(name, function);
    }

    void run(Kernel kernel, DriverLibrary.Shape shape, MemorySegment arguments) {
        if (shape.sharedBytes() > kernel.sharedBytes) {
            JCudaDriver.cuFuncSetAttribute(kernel.function, DYNAMIC_SHARED_BYTES, shape.sharedBytes());
            kernel.sharedBytes = shape.sharedBytes();
        }
        int error = library.launch(kernel.address, shape, stream(), arguments);
        if (error != DriverLibrary.SUCCESS) {
            throw new CudaException("launch " + kernel.name + " " + shape, library.nameOf(error));
        }
        kernel.launches++;
    }

    /// How often each kernel was launched since the device was opened.
    Map<String, Long> launches() {
        var counts = new HashMap<String, Long>();
        kernels.forEach((name, kernel) -> counts.put(name, kernel.launches));
        return counts;
    }

    void fill(long address, byte value, long bytes) {
        checkThread();
        if (bytes > 0) {
            library.fill(address, value, bytes, stream());
        }
    }

    void synchronize() {
        checkThread();
        JCudaDriver.cuStreamSynchronize(stream);
    }

    /// Throws what an earlier kernel reported; to be called after waiting for it.
    void checkFault() {
        fault.check();
    }

    long faultAddress() {
        return fault.address();
    }

    void checkThread() {
        if (!open) {
            throw new IllegalStateException("the GPU backend was closed");
        }
        if (Thread.currentThread() != owner) {
            throw new IllegalStateException("the GPU backend belongs to thread " + owner.getName() + ", was used from "
                    + Thread.currentThread().getName());
        }
    }

    @Override
    public void close() {
        if (!open) {
            return;
        }
        open = false;
        launchMemory.close();
        fault.close();
        JCudaDriver.cuStreamDestroy(stream);
        JCudaDriver.cuModuleUnload(module);
        JCudaDriver.cuDevicePrimaryCtxRelease(handle);
    }
}
