package dev.sluice.model.evaluation;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.model.BaseModel;
import dev.sluice.model.checkpoint.Floats;
import dev.sluice.model.decoder.Decoder;
import dev.sluice.model.decoder.LoraBinding;
import dev.sluice.model.lora.Adapter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// A decoder with an adapter's numbers but without gradients or optimiser.
final class ScoringModel implements AutoCloseable {
    private static final int BLOCK = 1 << 20;

    private final Scope run;
    private final Decoder decoder;

    /// @param adapter null for the base model alone
    ScoringModel(BaseModel model, Adapter adapter) {
        run = model.backend().scope(Lifetime.RUN, "evaluation");
        try {
            decoder = new Decoder(model, adapter == null ? null : bind(model.backend(), adapter));
        } catch (RuntimeException e) {
            run.close();
            throw e;
        }
    }

    Decoder decoder() {
        return decoder;
    }

    Backend backend() {
        return decoder.backend();
    }

    @Override
    public void close() {
        decoder.close();
        run.close();
    }

    private LoraBinding bind(Backend backend, Adapter adapter) {
        Tensor values = run.allocate("adapter", backend.activationType(), adapter.layout().size());
        if (values.dtype() == DType.FLOAT32) {
            backend.upload(adapter.values(), values);
        } else {
            uploadRounded(backend, adapter.values(), values);
        }
        return new LoraBinding(adapter.layout(), values, values);
    }

    private static void uploadRounded(Backend backend, MemorySegment exact, Tensor values) {
        try (var arena = Arena.ofConfined()) {
            MemorySegment staging = arena.allocate(values.dtype().bytes(BLOCK), Long.BYTES);
            for (long first = 0; first < values.elements(); first += BLOCK) {
                int count = (int) Math.min(BLOCK, values.elements() - first);
                float[] block = exact.asSlice(first * Float.BYTES, (long) count * Float.BYTES).toArray(ValueLayout.JAVA_FLOAT);
                Floats.encode(values.dtype(), block, staging, 0);
                backend.upload(staging.asSlice(0, values.dtype().bytes(count)), values.view(values.name(), first, count));
            }
        }
    }
}
