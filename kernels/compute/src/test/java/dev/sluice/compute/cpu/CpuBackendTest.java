package dev.sluice.compute.cpu;

import dev.sluice.compute.Backend;
import dev.sluice.compute.contract.BackendContractTest;

/// The CPU backend with OpenBLAS.
class CpuBackendTest extends BackendContractTest {
    @Override
    protected Backend open() {
        return new CpuBackend(2, CpuProvider.gemm());
    }

    /// 32 roundings of float32.
    @Override
    public double tolerance() {
        return 32 * 0x1p-24;
    }
}
