package dev.sluice.cuda;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;
import java.util.List;

/// Any NVIDIA GPU from compute capability 7.5 (T4) on. Cards of 7.5 have no bf16 tensor cores: their products go through float16, scaled row by
/// row so that nothing is lost, and everything is stored as on newer cards.
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
