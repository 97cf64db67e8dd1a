package dev.sluice.cuda;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.BackendProvider;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Reasons why a GPU cannot be used.
class CudaDriverTest {
    private static final KernelImage PORTABLE = new KernelImage("portable", new int[] {75, 80, 86, 90, 120}, false, 80);
    private static final KernelImage HOPPER = new KernelImage("hopper", new int[] {90}, true, Integer.MAX_VALUE);

    private static Gpu gpu(int capability, long gib) {
        return new Gpu(0, "Card", capability, 100, (capability < 80 ? 64 : 99) << 10, gib << 30, 13_000);
    }

    @Test
    void missingLibraryIsAReason() {
        var found = assertInstanceOf(CudaDriver.Found.Nothing.class, CudaDriver.find("libcuda-not-here.so.1"));
        assertTrue(found.reason().contains("libcuda-not-here.so.1") && found.reason().contains("install"), found.reason());
    }

    @Test
    void libraryThatIsNoDriverIsAReason() {
        var found = assertInstanceOf(CudaDriver.Found.Nothing.class, CudaDriver.find("libc.so.6"));
        assertTrue(found.reason().contains("cuGetErrorName"), found.reason());
    }

    @Test
    void driverThatIsTooOldIsAReason() {
        String reason = CudaDriver.tooOld(12_080).reason();
        assertTrue(reason.contains("CUDA 12.8") && reason.contains("need 13.0") && reason.contains("580"), reason);
        assertNull(CudaDriver.tooOld(13_000));
    }

    @Test
    void probingNeverThrows() {
        for (var provider : ServiceLoader.load(BackendProvider.class)) {
            assertTrue(provider.probe() != null, provider.name());
        }
    }

    @ParameterizedTest
    @CsvSource({"70,portable,75", "72,portable,75", "75,hopper,exactly [90]", "89,hopper,exactly [90]", "100,hopper,exactly [90]"})
    void cardWithoutKernelsIsAReason(int capability, String image, String reason) {
        var kernels = image.equals("portable") ? PORTABLE : HOPPER;
        var answer = assertInstanceOf(Availability.Unavailable.class, CudaDriver.suits(kernels, gpu(capability, 16)));
        assertTrue(answer.reason().contains("Card") && answer.reason().contains(reason), answer.reason());
    }

    @Test
    void tooLittleMemoryIsAReason() {
        var answer = assertInstanceOf(Availability.Unavailable.class, CudaDriver.suits(PORTABLE, gpu(90, 1)));
        assertTrue(answer.reason().contains("1 GiB") && answer.reason().contains("2 GiB"), answer.reason());
    }

    @ParameterizedTest
    @CsvSource({"75", "80"})
    void tooLittleSharedMemoryIsAReason(int capability) {
        var card = new Gpu(0, "Card", capability, 100, 48 << 10, 16L << 30, 13_000);
        var answer = assertInstanceOf(Availability.Unavailable.class, CudaDriver.suits(PORTABLE, card));
        assertTrue(answer.reason().contains("49152 bytes of shared memory"), answer.reason());
    }

    @ParameterizedTest
    @CsvSource({"75", "80", "87", "89", "90", "103", "120", "121"})
    void portableRunsFromTuringOn(int capability) {
        assertInstanceOf(Availability.Available.class, CudaDriver.suits(PORTABLE, gpu(capability, 16)));
    }

    @Test
    void architectureSpecificCodeRunsOnItsArchitectureOnly() {
        assertInstanceOf(Availability.Available.class, CudaDriver.suits(HOPPER, gpu(90, 80)));
    }
}
