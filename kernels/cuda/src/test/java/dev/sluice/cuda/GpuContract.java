package dev.sluice.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sluice.compute.Availability;
import dev.sluice.compute.Backend;
import dev.sluice.compute.BackendProvider;
import dev.sluice.compute.contract.BackendContractTest;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/// The backend contract on a GPU; without one the tests are skipped with the reason.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GpuContract extends BackendContractTest {
    /// bf16 has eight significant bits.
    private static final double UNIT_ROUNDOFF = 0x1p-8;
    /// dx of the experts: pre-activation, gradient of the activation, of gate_up, of each row, and their sum.
    private static final int LONGEST_PATH = 5;

    private final BackendProvider provider;
    /// Keeps the device's context alive between tests, which would otherwise each make it anew.
    private Backend kept;

    GpuContract(BackendProvider provider) {
        this.provider = provider;
    }

    @BeforeAll
    void needsAGpu() {
        var availability = provider.probe();
        assumeTrue(availability instanceof Availability.Available, availability.toString());
        kept = provider.open();
    }

    @AfterAll
    void close() {
        if (kept != null) {
            kept.close();
        }
    }

    @Override
    protected Backend open() {
        return provider.open();
    }

    @Override
    public double tolerance() {
        return LONGEST_PATH * UNIT_ROUNDOFF;
    }
}
