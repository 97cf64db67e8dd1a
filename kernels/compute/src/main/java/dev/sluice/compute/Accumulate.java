package dev.sluice.compute;

/// Whether an operation overwrites its output or adds to what is there.
public enum Accumulate {
    REPLACE,
    ADD
}
