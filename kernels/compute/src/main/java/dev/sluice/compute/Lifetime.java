package dev.sluice.compute;

/// How long a scope's memory lives. The three never mix: a step buffer that outlives its step is a bug.
public enum Lifetime {
    /// Base weights: loaded once, shared by every run of the process.
    PROCESS,
    /// Adapter, gradients and optimiser state of one training run.
    RUN,
    /// Activations of one micro-batch; the same addresses are handed out again for the next one.
    STEP
}
