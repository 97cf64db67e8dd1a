package dev.sluice.compute.cpu;

import dev.sluice.compute.Backend;
import dev.sluice.compute.contract.BackendContractTest;

/// The CPU backend where OpenBLAS cannot be loaded.
class CpuBackendWithoutNativesTest extends BackendContractTest {
    @Override
    protected Backend open() {
        return new CpuBackend(2, new FewRows(new VectorGemm()));
    }

    /// 32 roundings of float32.
    @Override
    public double tolerance() {
        return 32 * 0x1p-24;
    }
}
