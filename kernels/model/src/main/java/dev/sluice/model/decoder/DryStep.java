package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Segments;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.lora.AdapterLayout;

/// Measures what a micro-batch takes by going through one without memory and without numbers: the same code that trains asks for
/// the same tensors, and so nothing has to be estimated.
///
/// @param weights of the right shapes; their numbers are not read
record DryStep(Backend backend, DecoderConfig config, DecoderWeights weights, AdapterLayout layout) {
    /// @param step most bytes at one time that the micro-batch takes
    /// @param tables bytes that outlive it, besides weights and adapter
    /// @param host bytes of the host's memory that outlive it
    record Bytes(long step, long tables, long host) {}

    /// What one document of that many tokens takes.
    Bytes measure(int tokens, ActivationPolicy policy) {
        try (Backend dry = backend.dryRun(); Scope run = dry.scope(Lifetime.RUN, "adapter");
                Decoder decoder = new Decoder(dry, config, weights, lora(dry, run));
                Scope step = dry.scope(Lifetime.STEP, "micro-batch")) {
            decoder.reserve(tokens);
            return measure(decoder, step, tokens, policy);
        }
    }

    private Bytes measure(Decoder decoder, Scope step, int tokens, ActivationPolicy policy) {
        try (var pass = new TrainingPass(decoder, layout, policy)) {
            pass.run(pass.place(batch(step, tokens), step), step);
            return new Bytes(step.peakBytes(), decoder.bytes(), pass.hostBytes());
        }
    }

    /// Whether inputs of layers can wait in memory that is not the backend's own.
    boolean spills() {
        try (Backend dry = backend.dryRun()) {
            return dry.offload().isPresent();
        }
    }

    private LoraBinding lora(Backend dry, Scope run) {
        return new LoraBinding(layout, run.allocate("parameters", dry.activationType(), layout.size()),
                run.allocate("gradients", DType.FLOAT32, layout.size()));
    }

    private static Batch batch(Scope step, int tokens) {
        return new Batch(step.allocate("ids", DType.INT32, tokens), step.allocate("positions", DType.INT32, tokens),
                step.allocate("labels", DType.INT32, tokens),
                new Segments(new int[] {0, tokens}, step.allocate("segments", DType.INT32, 2)));
    }
}
