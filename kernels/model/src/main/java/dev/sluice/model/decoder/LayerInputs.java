package dev.sluice.model.decoder;

import dev.sluice.compute.Offload;
import dev.sluice.compute.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/// Inputs of all layers and of the final norm, from the forward to the backward pass. Some wait in the host's memory: these take turns
/// at two buffers, so that one is copied while a layer computes with the other. Forward, a layer's input goes away while the layer runs;
/// backward it returns while the layer that follows it among them runs.
final class LayerInputs {
    private static final int BUFFERS = 2;

    private final List<Tensor> tensors = new ArrayList<>();
    private final List<Integer> away;
    private final Offload offload;

    /// @param away layers whose input waits in the host's memory, ascending
    /// @param offload null if there are none
    LayerInputs(int layers, List<Integer> away, Offload offload, Supplier<Tensor> memory) {
        this.away = away;
        this.offload = offload;
        for (int layer = 0; layer <= layers; layer++) {
            int turn = away.indexOf(layer);
            tensors.add(turn < BUFFERS ? memory.get() : tensors.get(away.get(turn - BUFFERS)));
        }
    }

    /// Where a layer's input is to be written. What lay there before is in the host's memory by then.
    Tensor toWrite(int layer) {
        int turn = away.indexOf(layer);
        if (turn >= BUFFERS) {
            offload.await(turn - BUFFERS);
        }
        return tensors.get(layer);
    }

    /// A layer's input, which has been written: it is read from here on, and not written before the next call of [#toWrite] for its
    /// buffer.
    Tensor written(int layer) {
        int turn = away.indexOf(layer);
        if (turn >= 0) {
            offload.store(turn, tensors.get(layer));
        }
        return tensors.get(layer);
    }

    /// Begins the way back. The forward pass is over.
    void bringBack() {
        bringBack(away.size() - 1);
    }

    private void bringBack(int turn) {
        if (turn >= 0) {
            offload.fetch(turn, tensors.get(away.get(turn)));
        }
    }

    /// A layer's input for its backward pass. To be called from the last layer down, each time after the backward pass before.
    Tensor again(int layer) {
        int turn = away.indexOf(layer);
        if (turn >= 0) {
            bringBack(turn - 1);
            offload.await(turn);
        }
        return tensors.get(layer);
    }
}
