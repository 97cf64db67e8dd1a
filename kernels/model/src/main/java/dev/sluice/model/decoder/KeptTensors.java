package dev.sluice.model.decoder;

import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;

/// Those tensors of a block's tape that lie in memory from the forward pass to the backward pass.
final class KeptTensors {
    private final ActivationLevel level;
    private final List<Tensor> tensors = new ArrayList<>();

    /// @param tape builds the block's tape
    KeptTensors(ActivationLevel level, Scope step, Consumer<TapeTensors> tape) {
        this.level = level;
        tape.accept((from, name, type, shape) -> {
            if (keeps(from)) {
                tensors.add(step.allocate(name, type, shape));
            }
            return null;
        });
    }

    private boolean keeps(ActivationLevel from) {
        return from != null && level.keeps(from);
    }

    ActivationLevel level() {
        return level;
    }

    /// What is kept, and null for the rest.
    TapeTensors alone() {
        Iterator<Tensor> kept = tensors.iterator();
        return (from, _, _, _) -> keeps(from) ? kept.next() : null;
    }

    /// What is kept, and new tensors for the rest.
    TapeTensors with(Scope scope) {
        Iterator<Tensor> kept = tensors.iterator();
        return (from, name, type, shape) -> keeps(from) ? kept.next() : scope.allocate(name, type, shape);
    }
}
