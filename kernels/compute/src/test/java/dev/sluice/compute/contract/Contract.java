package dev.sluice.compute.contract;

import dev.sluice.compute.Backend;
import org.junit.jupiter.api.Assumptions;

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

    /// Runs operations that only some families of models need. A backend may not have them yet and say so; the test is then
    /// skipped with what it says.
    default void orSkip(Runnable operations) {
        try {
            operations.run();
        } catch (UnsupportedOperationException e) {
            Assumptions.abort(e.getMessage());
        }
    }
}
