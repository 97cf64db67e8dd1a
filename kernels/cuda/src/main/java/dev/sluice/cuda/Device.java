package dev.sluice.cuda;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;

/// An open GPU: its context, one compute stream, one for copies beside it, and its kernels. It belongs to the thread that opened it, because CUDA
/// contexts are per thread.
final class Device implements AutoCloseable {
    /// How names of kernels in the hopper image begin.
    private static final List<String> HOPPER_PREFIXES = List.of("hopper_", "flash_");
    private static final int DYNAMIC_SHARED_BYTES = 8;
    private static final int SHARED_MEMORY_CARVEOUT = 9;
    private static final int ALL_SHARED = 100;
    private static final int DEFAULT_SHARED_BYTES = 48 * 1024;
    /// Counters for blocks that share a sum.
    static final int ARRIVALS = 1 << 16;
    private static final int TURING_SHARED_BYTES = 64 * 1024;
    private static final int PTX_VERSION = 5;
    private static final String ANY_KERNEL = "attention_bounds";

    private final DriverLibrary library;
    private final Gpu gpu;
    private final Thread owner = Thread.currentThread();
    private final CUdevice handle = new CUdevice();
    private final Map<String, CUmodule> modules = new HashMap<>();
    private final SortedMap<String, String> hashes = new TreeMap<>();
    private final Stream stream = new Stream();
    private final Stream copyStream = new Stream();
    private final Map<String, Kernel> kernels = new HashMap<>();
    private final LaunchMemory launchMemory = new LaunchMemory();
    private final Fault fault;
    private final TensorMaps tensorMaps;
    private final TileCounter drawnTiles;
    private final TileCounter arrivals;
    private final boolean turing;
    private final KernelTimes times = KernelTimes.WANTED ? new KernelTimes(stream) : null;
    private boolean recording;
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

    Device(DriverLibrary library, Gpu gpu, List<KernelImage> images) {
        this.library = library;
        this.gpu = gpu;
        JCudaNatives.load();
        JCudaDriver.cuInit(0);
        JCudaDriver.cuDeviceGet(handle, gpu.ordinal());
        var context = new CUcontext();
        JCudaDriver.cuDevicePrimaryCtxRetain(context, handle);
        JCudaDriver.cuCtxSetCurrent(context);
        for (var image : images) {
            var module = new CUmodule();
            byte[] bytes = image.bytes();
            JCudaDriver.cuModuleLoadData(module, bytes);
            modules.put(image.name(), module);
            hashes.put(image.name(), KernelImage.hash(bytes));
        }
        JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING);
        JCudaDriver.cuStreamCreate(copyStream, CUstream_flags.CU_STREAM_NON_BLOCKING);
        turing = Gpu.turing(compiledFor());
        fault = new Fault();
        tensorMaps = hopper() ? new TensorMaps(library) : null;
        drawnTiles = hopper() ? new TileCounter(1) : null;
        arrivals = new TileCounter(ARRIVALS);
    }

    /// A device on which nothing is launched and that has no memory: what is left of an operation are its checks and its allocations.
    ///
    /// @param hopper whether to take the Hopper kernels' ways
    private Device(Gpu gpu, boolean hopper) {
        this.library = null;
        this.gpu = gpu;
        this.turing = Gpu.turing(gpu.capability());
        this.fault = null;
        this.drawnTiles = null;
        this.arrivals = null;
        if (hopper) {
            modules.put(HopperProvider.NAME, null);
        }
        this.tensorMaps = new TensorMaps();
    }

    static Device dry(Gpu gpu, boolean hopper) {
        return new Device(gpu, hopper);
    }

    boolean dry() {
        return library == null;
    }

    DriverLibrary library() {
        return library;
    }

    Gpu gpu() {
        return gpu;
    }

    /// SHA-256 of every kernel image by its name.
    SortedMap<String, String> hashes() {
        return hashes;
    }

    /// Whether the Hopper kernels are loaded.
    boolean hopper() {
        return modules.containsKey(HopperProvider.NAME);
    }

    /// Whether the portable kernels are those for cards before compute capability 8.0. What they were compiled for decides: a newer card runs
    /// them too, from PTX.
    boolean turing() {
        return turing;
    }

    private int compiledFor() {
        int[] version = new int[1];
        JCudaDriver.cuFuncGetAttribute(version, PTX_VERSION, find(ANY_KERNEL).function);
        return version[0];
    }

    /// What a block may have; kernels for older cards keep to what those have wherever they run.
    private int sharedLimit() {
        return turing && !hopper() ? Math.min(gpu.sharedBytes(), TURING_SHARED_BYTES) : gpu.sharedBytes();
    }

    TensorMaps tensorMaps() {
        return tensorMaps;
    }

    /// Address of the counter from which the Hopper products draw their tiles.
    long drawnTiles() {
        return dry() ? 0 : drawnTiles.address();
    }

    /// Address of [#ARRIVALS] counters of the blocks that have left their part of a sum.
    long arrivals() {
        return dry() ? 0 : arrivals.address();
    }

    int multiprocessors() {
        return gpu.multiprocessors();
    }

    long stream() {
        return stream.address();
    }

    CUstream jcudaStream() {
        return stream;
    }

    /// For copies that run beside the compute stream, as far as events allow.
    long copyStream() {
        return copyStream.address();
    }

    CUstream jcudaCopyStream() {
        return copyStream;
    }

    /// Begins a launch of the named kernel.
    Launch launch(String name) {
        checkThread();
        return new Launch(this, kernels.computeIfAbsent(name, this::find), launchMemory);
    }

    private Kernel find(String name) {
        var function = new Function();
        if (dry()) {
            return new Kernel(name, function);
        }
        String image = HOPPER_PREFIXES.stream().anyMatch(name::startsWith) ? HopperProvider.NAME : PortableProvider.NAME;
        JCudaDriver.cuModuleGetFunction(function, modules.get(image), name);
        return new Kernel(name, function);
    }

    void run(Kernel kernel, String detail, DriverLibrary.Shape shape, MemorySegment arguments) {
        if (dry()) {
            return;
        }
        if (shape.sharedBytes() > sharedLimit()) {
            throw new CudaException("launch " + kernel.name + " " + shape, "a block may have " + sharedLimit() + " bytes of shared memory");
        }
        if (shape.sharedBytes() > kernel.sharedBytes) {
            JCudaDriver.cuFuncSetAttribute(kernel.function, DYNAMIC_SHARED_BYTES, shape.sharedBytes());
            // Left to itself the driver may keep most of the memory as cache, and fewer blocks fit a multiprocessor.
            JCudaDriver.cuFuncSetAttribute(kernel.function, SHARED_MEMORY_CARVEOUT, ALL_SHARED);
            kernel.sharedBytes = shape.sharedBytes();
        }
        if (times == null) {
            run(kernel, shape, arguments);
        } else {
            times.around(kernel.name + detail, () -> run(kernel, shape, arguments));
        }
        kernel.launches++;
    }

    private void run(Kernel kernel, DriverLibrary.Shape shape, MemorySegment arguments) {
        int error = library.launch(kernel.address, shape, stream(), arguments);
        if (error != DriverLibrary.SUCCESS) {
            throw new CudaException("launch " + kernel.name + " " + shape, library.nameOf(error));
        }
    }

    /// How often each kernel was launched since the device was opened.
    Map<String, Long> launches() {
        var counts = new HashMap<String, Long>();
        kernels.forEach((name, kernel) -> counts.put(name, kernel.launches));
        return counts;
    }

    /// Counts launches of a kernel that ran in another way than one by one.
    void count(String kernel, long launches) {
        kernels.get(kernel).launches += launches;
    }

    /// Whether what the stream is given is recorded instead of run.
    void recording(boolean on) {
        recording = on;
    }

    /// @throws IllegalStateException while work is recorded
    void refuseWhileRecording(String what) {
        if (recording) {
            throw new IllegalStateException(what + " while work is recorded: the host would wait for what does not run");
        }
    }

    void fill(long address, byte value, long bytes) {
        checkThread();
        if (bytes > 0 && !dry()) {
            library.fill(address, value, bytes, stream());
        }
    }

    /// Waits for both streams: memory may be given back after it.
    void synchronize() {
        checkThread();
        refuseWhileRecording("waiting for the device");
        if (!dry()) {
            JCudaDriver.cuStreamSynchronize(stream);
            JCudaDriver.cuStreamSynchronize(copyStream);
        }
    }

    /// Throws what an earlier kernel reported; to be called after waiting for it.
    void checkFault() {
        if (!dry()) {
            fault.check();
        }
    }

    long faultAddress() {
        return dry() ? 0 : fault.address();
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
        if (times != null) {
            times.close();
        }
        launchMemory.close();
        if (tensorMaps != null) {
            tensorMaps.close();
        }
        if (dry()) {
            return;
        }
        if (drawnTiles != null) {
            drawnTiles.close();
        }
        arrivals.close();
        fault.close();
        JCudaDriver.cuStreamDestroy(copyStream);
        JCudaDriver.cuStreamDestroy(stream);
        modules.values().forEach(JCudaDriver::cuModuleUnload);
        JCudaDriver.cuDevicePrimaryCtxRelease(handle);
    }
}
