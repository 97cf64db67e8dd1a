package dev.sluice.model.decoder;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Gives a block the tensors of its tape. A block asks in the same order every time.
@FunctionalInterface
interface TapeTensors {
    /// @param from the least level that keeps this tensor; null if none does
    /// @return null where only what is kept is wanted, and this is not
    Tensor take(ActivationLevel from, String name, DType type, long... shape);

    /// A tensor that is computed again at every level.
    default Tensor scratch(String name, DType type, long... shape) {
        return take(null, name, type, shape);
    }

    /// All from one scope, for a pass that nothing follows.
    static TapeTensors of(Scope scope) {
        return (_, name, type, shape) -> scope.allocate(name, type, shape);
    }
}
