package dev.sluice.cuda;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;
import java.util.List;

/// H100 and H200: matrix products and attention by wgmma and the tensor copy engine, everything else by the portable kernels.
public final class HopperProvider implements BackendProvider {
    static final String NAME = "hopper";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return 100;
    }

    @Override
    public Availability probe() {
        return CudaDriver.probe(images());
    }

    @Override
    public Backend open() {
        return CudaDriver.open(images());
    }

    private static List<String> images() {
        return List.of(NAME, PortableProvider.NAME);
    }
}
