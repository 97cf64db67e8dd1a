package dev.sluice.compute.probe;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;

/// Something an operation wrote, and how far it may be from float32.
///
/// @param roundings to the activation type on the longest way from inputs to this; 0 where all of it is float32; [#EXACT] for integers
public record Output(String name, Tensor tensor, int roundings) {
    static final int EXACT = -1;
    /// Different orders of summation in float32.
    private static final double REORDERED = 1e-5;

    static Output exact(String name, Tensor tensor) {
        return new Output(name, tensor, EXACT);
    }

    /// Largest relative Frobenius error. One rounding to n significant bits is off by at most 2^-n, and independent ones add up as
    /// their squares do.
    double bound(DType activations) {
        double unit = activations == DType.BFLOAT16 ? 0x1p-8 : 0x1p-24;
        return roundings == EXACT ? 0 : Math.max(REORDERED, unit * Math.sqrt(roundings));
    }
}
