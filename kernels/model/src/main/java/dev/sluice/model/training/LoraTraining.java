package dev.sluice.model.training;

import dev.sluice.model.BaseModel;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.Adapter;
import java.nio.file.Path;
import java.util.List;

/// One training run: an adapter, its gradients and its optimiser on a backend. Belongs to the backend's thread.
///
/// The same model, adapter, settings and rows give the same bits on the CPU, and a restored run goes on as if it had
/// never stopped.
public final class LoraTraining implements AutoCloseable {
    /// Starts at step 0 from the adapter's numbers; the adapter itself is not changed.
    ///
    /// @throws dev.sluice.compute.OutOfMemoryException with the numbers if the run's state does not fit
    public LoraTraining(BaseModel model, Adapter adapter, TrainingSettings settings) {
        throw new UnsupportedOperationException("comes with the decoder");
    }

    /// One optimiser step over some micro-batches; their gradients accumulate. The loss is the mean over all their
    /// trained tokens together.
    ///
    /// @throws IllegalArgumentException if there is nothing to train on in any of them, or an id is outside the vocabulary
    /// @throws NonFiniteLossException if loss or gradient are not finite; the update was skipped
    public StepReport step(List<TokenRow> microBatches) {
        throw new UnsupportedOperationException();
    }

    /// Optimiser steps done.
    public long completedSteps() {
        throw new UnsupportedOperationException();
    }

    /// The adapter as it is now, copied to the host.
    public Adapter adapter() {
        throw new UnsupportedOperationException();
    }

    /// Writes everything that is needed to go on bit-identically. The folder appears whole or not at all; an existing
    /// one is replaced.
    ///
    /// @param cursor the caller's place in its data, kept and handed back by [#restore]
    public void save(Path folder, String cursor) {
        throw new UnsupportedOperationException();
    }

    /// Replaces this run's state by a saved one of the same model, adapter layout and settings.
    ///
    /// @return the cursor that was saved
    /// @throws dev.sluice.model.InvalidFileException if the folder is damaged or belongs to another run; this run's
    ///     state is then unchanged
    public String restore(Path folder) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {
        throw new UnsupportedOperationException();
    }
}
