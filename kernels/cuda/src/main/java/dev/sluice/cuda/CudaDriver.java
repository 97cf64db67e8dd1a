package dev.sluice.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Whether an NVIDIA driver and device are here, found out without touching JCuda, whose classes fail to initialise without libcuda.
final class CudaDriver {
    /// The kernels are built by CUDA 13; an older driver cannot load them.
    static final int MINIMUM_DRIVER = 13_000;
    /// The least memory for which training anything makes sense.
    private static final long MINIMUM_MEMORY = 2L << 30;
    private static final int MULTIPROCESSORS = 16;
    private static final int CAPABILITY_MAJOR = 75;
    private static final int CAPABILITY_MINOR = 76;
    private static final int SHARED_BYTES_OF_BLOCK = 97;

    private static final Path RELEASE = Path.of("/sys/module/nvidia/version");

    private CudaDriver() {}

    /// Outcome of looking for a device.
    sealed interface Found {
        record Device(DriverLibrary library, Gpu gpu) implements Found {}

        record Nothing(String reason) implements Found {}
    }

    static String libraryFile() {
        return System.getProperty("os.name").startsWith("Windows") ? "nvcuda.dll" : "libcuda.so.1";
    }

    static Found find() {
        return find(libraryFile());
    }

    static Found find(String file) {
        DriverLibrary library;
        try {
            library = DriverLibrary.load(file);
        } catch (IllegalArgumentException e) {
            return new Found.Nothing(file + " cannot be used (" + e.getMessage() + "): install an NVIDIA driver, or start the "
                    + "container with access to the GPU");
        }
        int error = DriverLibrary.call(library.function("cuInit", JAVA_INT), 0);
        if (error != DriverLibrary.SUCCESS) {
            return new Found.Nothing("the CUDA driver does not start: " + library.nameOf(error));
        }
        return device(library);
    }

    private static Found device(DriverLibrary library) {
        try (var arena = Arena.ofConfined()) {
            var number = arena.allocate(JAVA_INT);
            library.check(DriverLibrary.call(library.function("cuDriverGetVersion", ADDRESS), number), "cuDriverGetVersion");
            int driver = number.get(JAVA_INT, 0);
            if (tooOld(driver) instanceof Found.Nothing refused) {
                return refused;
            }
            library.check(DriverLibrary.call(library.function("cuDeviceGetCount", ADDRESS), number), "cuDeviceGetCount");
            if (number.get(JAVA_INT, 0) == 0) {
                return new Found.Nothing("the driver sees no device: check CUDA_VISIBLE_DEVICES and the container's resources");
            }
            return new Found.Device(library, describe(library, arena, driver));
        } catch (CudaException e) {
            return new Found.Nothing(e.getMessage());
        }
    }

    /// A refusal, or null for a driver that can load the kernels.
    static Found.Nothing tooOld(int driver) {
        return driver >= MINIMUM_DRIVER ? null : new Found.Nothing("the driver supports CUDA " + Gpu.version(driver) + ", the kernels need "
                + Gpu.version(MINIMUM_DRIVER) + ": update it to 580 or newer");
    }

    /// Release of the kernel module, as far as this system says.
    static String release() {
        try {
            return Files.readString(RELEASE).strip();
        } catch (IOException e) {
            return "unknown";
        }
    }

    private static Gpu describe(DriverLibrary library, Arena arena, int driver) {
        var device = arena.allocate(JAVA_INT);
        library.check(DriverLibrary.call(library.function("cuDeviceGet", ADDRESS, JAVA_INT), device, 0), "cuDeviceGet");
        int handle = device.get(JAVA_INT, 0);
        var name = arena.allocate(256);
        library.check(DriverLibrary.call(library.function("cuDeviceGetName", ADDRESS, JAVA_INT, JAVA_INT), name, 256, handle),
                "cuDeviceGetName");
        var bytes = arena.allocate(JAVA_LONG);
        library.check(DriverLibrary.call(library.function("cuDeviceTotalMem_v2", ADDRESS, JAVA_INT), bytes, handle),
                "cuDeviceTotalMem");
        int capability = 10 * attribute(library, arena, CAPABILITY_MAJOR, handle)
                + attribute(library, arena, CAPABILITY_MINOR, handle);
        return new Gpu(0, name.getString(0), capability, attribute(library, arena, MULTIPROCESSORS, handle),
                attribute(library, arena, SHARED_BYTES_OF_BLOCK, handle), bytes.get(JAVA_LONG, 0), driver);
    }

    private static int attribute(DriverLibrary library, Arena arena, int which, int device) {
        var value = arena.allocate(JAVA_INT);
        library.check(DriverLibrary.call(library.function("cuDeviceGetAttribute", ADDRESS, JAVA_INT, JAVA_INT), value, which, device),
                "cuDeviceGetAttribute");
        return value.get(JAVA_INT, 0);
    }

    /// Whether all these images' kernels can run on the first device; the first image gives the backend its name.
    static Availability probe(List<String> images) {
        return switch (find()) {
            case Found.Nothing(var reason) -> new Availability.Unavailable(reason);
            case Found.Device(_, var gpu) -> images.stream().map(image -> suits(image, gpu))
                    .filter(Availability.Unavailable.class::isInstance).findFirst()
                    .orElseGet(() -> new Availability.Available(gpu.describe()));
        };
    }

    private static Availability suits(String image, Gpu gpu) {
        return KernelImage.find(image).map(kernels -> suits(kernels, gpu)).orElseGet(() -> new Availability.Unavailable(
                "this build holds no " + image + " kernels: build where nvcc 13 is on the PATH"));
    }

    /// Opens the first device with these images' kernels, on the calling thread.
    ///
    /// @throws IllegalStateException if it is unavailable
    static Backend open(List<String> images) {
        String name = images.getFirst();
        if (probe(images) instanceof Availability.Unavailable(var reason)) {
            throw new IllegalStateException("backend " + name + " cannot run here: " + reason);
        }
        return switch (find()) {
            case Found.Nothing(var reason) -> throw new IllegalStateException("backend " + name + ": " + reason);
            case Found.Device(var library, var gpu) -> new CudaBackend(name,
                    new Device(library, gpu, images.stream().map(image -> KernelImage.find(image).orElseThrow()).toList()));
        };
    }

    static Availability suits(KernelImage image, Gpu gpu) {
        if (!image.runsOn(gpu.capability())) {
            return new Availability.Unavailable(gpu.describe() + ": the " + image.name() + " kernels need " + image.requirement());
        }
        int shared = AttentionWidth.mostBytes(Gpu.turing(gpu.capability()));
        if (gpu.sharedBytes() < shared) {
            return new Availability.Unavailable(gpu.describe() + ": its blocks may have " + gpu.sharedBytes()
                    + " bytes of shared memory, the kernels need " + shared);
        }
        if (gpu.memoryBytes() < MINIMUM_MEMORY) {
            return new Availability.Unavailable(gpu.describe() + ": training needs at least " + (MINIMUM_MEMORY >> 30) + " GiB");
        }
        return new Availability.Available(gpu.describe());
    }
}
