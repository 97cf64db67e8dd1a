package dev.sluice.compute.op;

import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.SequencedMap;

/// All trainable parameters of a run in one flat block, with their gradients and optimiser state.
/// A matrix of the adapter is a view of it at a fixed offset.
public interface ParameterArena {
    /// Parameters in the arena.
    long size();

    /// What kernels multiply with: [size] in the backend's activation type.
    Tensor values();

    /// Gradient sums: [size], FLOAT32, or the backend's activation type in a [OptimizerState#LEAN] arena; backward passes add to it.
    Tensor gradients();

    /// Sets the exact parameters from float32 numbers, `size * 4` bytes.
    void write(MemorySegment float32);

    /// Reads the exact parameters as float32 numbers, `size * 4` bytes.
    void read(MemorySegment float32);

    /// Everything a checkpoint must keep to go on bit-identically, by name, in a fixed order: parameters and moments.
    SequencedMap<String, Tensor> state();
}
