package dev.sluice.cuda;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;
import java.util.List;

/// Any NVIDIA GPU with bf16 tensor cores: compute capability 8.0 and newer. Cards of 7.5 have none; they need float16 kernels with
/// loss scaling, which do not exist yet, and the probe says so.
public final class PortableProvider implements BackendProvider {
    static final String NAME = "portable";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 50;
    }

    @Override
    public Availability probe() {
        return CudaDriver.probe(List.of(NAME));
    }

    @Override
    public Backend open() {
        return CudaDriver.open(List.of(NAME));
    }
}
