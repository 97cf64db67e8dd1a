package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Offload;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.TokenRow;
import dev.sluice.model.lora.AdapterLayout;
import dev.sluice.model.lora.LoraSite;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Forward and backward pass of one micro-batch. Kept between the two are every layer's input and routing, and of what is inside
/// the layers as much as the policy says; the rest is computed again, with the saved picks.
public final class TrainingPass implements AutoCloseable {
    private final Decoder decoder;
    private final Backend backend;
    private final ActivationPolicy policy;
    private final int lowest;
    /// Layers whose input waits in the host's memory.
    private final List<Integer> away;
    private final Offload offload;

    /// @param layout which layers have an adapter: below the lowest of them nothing is differentiated
    /// @param policy one level per layer
    public TrainingPass(Decoder decoder, AdapterLayout layout, ActivationPolicy policy) {
        this.decoder = decoder;
        this.backend = decoder.backend();
        this.policy = policy;
        int layers = decoder.layers().size();
        if (policy.layers().size() != layers) {
            throw new IllegalArgumentException("the policy for activations is for " + policy.layers().size() + " layers, the model has "
                    + layers);
        }
        this.lowest = lowest(layout, layers);
        this.offload = policy.layers().contains(ActivationLevel.HOST) ? backend.offload().orElse(null) : null;
        this.away = IntStream.range(lowest, layers).filter(layer -> offload != null && policy.layers().get(layer) == ActivationLevel.HOST)
                .boxed().toList();
    }

    /// The lowest layer that has an adapter, or one past the last.
    static int lowest(AdapterLayout layout, int layers) {
        return layout.sites().stream().map(LoraSite::layer).filter(layer -> layer >= 0).min(Integer::compare).orElse(layers);
    }

    /// What a pass reads and where its results go. For rows of equal length everything lies at the same addresses.
    ///
    /// @param gradientScale FLOAT32 [1]
    /// @param nll FLOAT32 [tokens], 0 where there is no label
    /// @param expertOffsets INT32: the expert boundaries of every sparse layer behind one another, experts + 1 each
    public record MicroBatch(Batch batch, Tensor gradientScale, Tensor nll, Tensor expertOffsets) {}

    /// Numbers of a result's `expertOffsets` per layer, 0 for dense ones.
    public int[] offsetCounts() {
        return decoder.layers().stream().mapToInt(layer -> layer.feedForward().offsetCount()).toArray();
    }

    /// Copies a row into a step.
    ///
    /// @param gradientScale 1 / trained tokens of the whole optimiser step
    /// @param step scope that the micro-batch lives in, results included
    public MicroBatch prepare(TokenRow row, float gradientScale, Scope step) {
        MicroBatch micro = place(decoder.batch(step, row), step);
        try (var arena = Arena.ofConfined()) {
            backend.upload(arena.allocateFrom(ValueLayout.JAVA_FLOAT, gradientScale), micro.gradientScale);
        }
        return micro;
    }

    /// A micro-batch with everything but the gradient's scale.
    MicroBatch place(Batch batch, Scope step) {
        return new MicroBatch(batch, step.allocate("gradient scale", DType.FLOAT32, 1), step.allocate("nll", DType.FLOAT32, batch.tokens()),
                step.allocate("router.offsets", DType.INT32, Arrays.stream(offsetCounts()).sum()));
    }

    /// Equal for micro-batches on which [#run] does the same on the device: everything else that may differ lies in device memory.
    public Object key(MicroBatch micro) {
        return List.of(micro.batch.tokens(), micro.batch.segments().count(), decoder.tables());
    }

    /// Whether [#run] may be recorded and replayed: copies to the host and back are not among what recordings hold, and micro-batches
    /// long enough for them do not wait for launches.
    public boolean replayable() {
        return away.isEmpty();
    }

    /// Bytes of the host's memory that inputs of layers have taken so far.
    public long hostBytes() {
        return offload == null ? 0 : offload.bytes();
    }

    /// Adds the micro-batch's gradients to the adapter's. Neither waits for the device nor reads anything from the host.
    ///
    /// @param step scope for everything between
    public void run(MicroBatch micro, Scope step) {
        Batch batch = micro.batch;
        var saved = allocate(micro, step);
        forward(batch, saved, step);
        Tensor gradient = decoder.stream(step, batch, "gradient");
        saved.inputs.bringBack();
        loss(micro, saved, gradient, step);
        for (int layer = decoder.layers().size() - 1; layer >= lowest; layer--) {
            backward(layer, batch, saved, gradient, step);
        }
    }

    private record Saved(LayerInputs inputs, List<Routing> routings, List<DecoderLayer.Kept> kept, Tensor rstd) {}

    private Saved allocate(MicroBatch micro, Scope step) {
        int[] counts = offsetCounts();
        Batch batch = micro.batch;
        Tensor offsets = micro.expertOffsets;
        var inputs = new LayerInputs(decoder.layers().size(), away, offload, () -> decoder.stream(step, batch, "layer.input"));
        var saved = new Saved(inputs, new ArrayList<>(), new ArrayList<>(),
                step.allocate("rstd", DType.FLOAT32, batch.tokens()));
        long at = 0;
        for (int i = 0; i < counts.length; i++) {
            DecoderLayer layer = decoder.layers().get(i);
            saved.routings.add(layer.feedForward().routing(step, batch.tokens(), offsets.view("router.offsets", at, counts[i])));
            at += counts[i];
            saved.kept.add(layer.keep(policy.layers().get(i), step, batch.tokens()));
        }
        return saved;
    }

    private void forward(Batch batch, Saved saved, Scope step) {
        decoder.embed(batch, saved.inputs.toWrite(0));
        for (int i = 0; i < decoder.layers().size(); i++) {
            DecoderLayer layer = decoder.layers().get(i);
            Tensor x = saved.inputs.written(i);
            Tensor y = saved.inputs.toWrite(i + 1);
            try (Scope scope = step.child("layer")) {
                var tape = layer.tape(saved.kept.get(i), scope, batch.tokens());
                layer.forward(x, batch, saved.routings.get(i), tape, y, scope);
            }
        }
    }

    /// Leaves in `gradient` that of the last layer's output.
    private void loss(MicroBatch micro, Saved saved, Tensor gradient, Scope step) {
        Batch batch = micro.batch;
        Tensor last = saved.inputs.written(decoder.layers().size());
        try (Scope scope = step.child("loss")) {
            Tensor hidden = decoder.stream(scope, batch, "hidden");
            int rank = decoder.head().rank();
            Tensor z = rank == 0 ? null : scope.allocate("lora.z", backend.activationType(), batch.tokens(), rank);
            decoder.finalNorm(last, hidden, saved.rstd);
            try (Scope scratch = scope.child("cross entropy")) {
                backend.loss().crossEntropy(hidden, decoder.head(), batch.labels(), micro.gradientScale, micro.nll, z,
                        gradient, scratch);
            }
        }
        backend.norm().rmsNormBackward(gradient, last, decoder.finalNormWeight(), saved.rstd, gradient, Accumulate.REPLACE);
    }

    private void backward(int index, Batch batch, Saved saved, Tensor gradient, Scope step) {
        Tensor x = saved.inputs.again(index);
        try (Scope scope = step.child("layer backward")) {
            decoder.layers().get(index).backward(gradient, x, batch, saved.routings.get(index),
                    saved.kept.get(index), index == lowest, scope);
        }
    }

    /// Gives the host's memory back.
    @Override
    public void close() {
        if (offload != null) {
            offload.close();
        }
    }
}
