package dev.sluice.cuda;

import dev.sluice.compute.Backend;

/// The GPU backends' dry runs where there is no GPU.
public final class DryGpu {
    private DryGpu() {}

    /// As on an H200 with its memory.
    public static Backend hopper() {
        return open(HopperProvider.NAME, true);
    }

    /// As on the same card without the Hopper kernels.
    public static Backend portable() {
        return open(PortableProvider.NAME, false);
    }

    private static Backend open(String name, boolean hopper) {
        return new CudaBackend(name, Device.dry(new Gpu(0, "NVIDIA H200", 90, 132, 227 << 10, 141L << 30, 13000), hopper));
    }
}
