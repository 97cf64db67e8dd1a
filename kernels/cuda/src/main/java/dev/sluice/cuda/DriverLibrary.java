package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;

/// libcuda's functions as method handles: everything needed before JCuda may be touched, and the calls on the hot path.
/// Handles and device pointers are passed as plain 64-bit numbers.
final class DriverLibrary {
    static final int SUCCESS = 0;
    static final int OUT_OF_MEMORY = 2;

    private final SymbolLookup symbols;
    private final MethodHandle errorName;
    private final MethodHandle launch;
    private final MethodHandle copyToDevice;
    private final MethodHandle copyToHost;
    private final MethodHandle fill;

    private DriverLibrary(SymbolLookup symbols) {
        this.symbols = symbols;
        this.errorName = function("cuGetErrorName", JAVA_INT, ADDRESS);
        this.launch = function("cuLaunchKernel", JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT,
                JAVA_LONG, ADDRESS, ADDRESS);
        this.copyToDevice = function("cuMemcpyHtoDAsync_v2", JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_LONG);
        this.copyToHost = function("cuMemcpyDtoHAsync_v2", ADDRESS, JAVA_LONG, JAVA_LONG, JAVA_LONG);
        this.fill = function("cuMemsetD8Async", JAVA_LONG, JAVA_BYTE, JAVA_LONG, JAVA_LONG);
    }

    /// Loads the library for the life of the process.
    ///
    /// @throws IllegalArgumentException if there is no such library or it lacks a function
    static DriverLibrary load(String file) {
        return new DriverLibrary(SymbolLookup.libraryLookup(file, Arena.global()));
    }

    /// A function that returns a CUresult.
    MethodHandle function(String name, MemoryLayout... arguments) {
        var address = symbols.find(name).orElseThrow(() -> new IllegalArgumentException("the CUDA driver has no " + name));
        return Linker.nativeLinker().downcallHandle(address, FunctionDescriptor.of(JAVA_INT, arguments));
    }

    /// Calls one of [#function]'s handles.
    static int call(MethodHandle function, Object... arguments) {
        try {
            return (int) function.invokeWithArguments(arguments);
        } catch (Throwable t) {
            throw new LinkageError("calling the CUDA driver", t);
        }
    }

    String nameOf(int error) {
        try (var arena = Arena.ofConfined()) {
            var text = arena.allocate(ADDRESS);
            return call(errorName, error, text) == SUCCESS
                    ? text.get(ADDRESS, 0).reinterpret(Long.MAX_VALUE).getString(0) : "CUDA error " + error;
        }
    }

    void check(int result, String what) {
        if (result != SUCCESS) {
            throw new CudaException(what, nameOf(result));
        }
    }

    int launch(long function, Shape shape, long stream, MemorySegment arguments) {
        try {
            return (int) launch.invokeExact(function, shape.gridX(), shape.gridY(), shape.gridZ(), shape.block(), 1, 1,
                    shape.sharedBytes(), stream, arguments, MemorySegment.NULL);
        } catch (Throwable t) {
            throw new LinkageError("cuLaunchKernel", t);
        }
    }

    void copyToDevice(long to, MemorySegment pinned, long bytes, long stream) {
        check(call(copyToDevice, to, pinned, bytes, stream), "copy of " + bytes + " bytes to the device");
    }

    void copyToHost(MemorySegment pinned, long from, long bytes, long stream) {
        check(call(copyToHost, pinned, from, bytes, stream), "copy of " + bytes + " bytes from the device");
    }

    void fill(long address, byte value, long bytes, long stream) {
        check(call(fill, address, value, bytes, stream), "fill of " + bytes + " bytes");
    }

    /// Grid, block and dynamic shared memory of a launch.
    record Shape(int gridX, int gridY, int gridZ, int block, int sharedBytes) {
        @Override
        public String toString() {
            return "grid=" + gridX + "x" + gridY + "x" + gridZ + " block=" + block + " shared=" + sharedBytes;
        }
    }
}
