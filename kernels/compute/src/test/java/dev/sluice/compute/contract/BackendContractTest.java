package dev.sluice.compute.contract;

import dev.sluice.compute.Backend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/// What every backend must do. A backend's own test extends it and says how to open the backend and how exact it is.
public abstract class BackendContractTest implements ScopeContract, ElementwiseContract,
        NormContract, RotaryContract, LinearContract, AttentionContract, RouterContract, ExpertChoiceContract, ExpertContract,
        LossContract, PackedContract, ColumnContract, ConvolutionContract, GatedActivationContract, OptimizerContract,
        LeanOptimizerContract, OffloadContract {
    private Backend backend;

    /// A fresh backend on the calling thread.
    protected abstract Backend open();

    @BeforeEach
    void openBackend() {
        backend = open();
    }

    @AfterEach
    void closeBackend() {
        backend.close();
    }

    @Override
    public Backend backend() {
        return backend;
    }
}
