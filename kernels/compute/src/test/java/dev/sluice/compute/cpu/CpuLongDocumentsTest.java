package dev.sluice.compute.cpu;

import dev.sluice.compute.Backend;
import dev.sluice.compute.contract.AttentionContract;
import org.junit.jupiter.api.AfterEach;

/// Attention with every document cut as only long ones are otherwise.
class CpuLongDocumentsTest implements AttentionContract {
    private final CpuBackend backend = new CpuBackend(2, CpuProvider.gemm(), 1);

    @AfterEach
    void closeBackend() {
        backend.close();
    }

    @Override
    public Backend backend() {
        return backend;
    }

    /// 32 roundings of float32.
    @Override
    public double tolerance() {
        return 32 * 0x1p-24;
    }
}
