package dev.sluice.compute.contract;

import dev.sluice.compute.Backend;

/// What the parts of the backend contract share.
public interface Contract {
    /// The backend under test, open.
    Backend backend();

    /// Largest relative Frobenius error of a result, from the arithmetic: roundings on the longest path times the unit
    /// roundoff of the activation type. Never widened to pass.
    double tolerance();

    default World world(long seed) {
        return new World(backend(), tolerance(), seed);
    }
}
