package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.config.StreamConfig;
import dev.sluice.model.decoder.DecoderWeights.LayerWeights;

/// One pre-norm layer: `m = x + mixer(norm(x))`, `y = m + feedForward(norm(m))`; in some families both halves' outputs
/// are normalised before they are added.
final class DecoderLayer {
    private final Backend backend;
    private final float epsilon;
    private final float residualScale;
    private final LayerWeights weights;
    private final MixerBlock mixer;
    private final FeedForwardBlock feedForward;

    DecoderLayer(Backend backend, StreamConfig stream, LayerWeights weights, MixerBlock mixer, FeedForwardBlock feedForward) {
        this.backend = backend;
        this.epsilon = (float) stream.normEpsilon();
        this.residualScale = stream.residualScale();
        this.weights = weights;
        this.mixer = mixer;
        this.feedForward = feedForward;
    }

    /// Everything between the layer's input and its output that the backward pass reads.
    record Tape(MixerHalf mixer, Middle middle, FeedForwardHalf feedForward) {}

    /// @param normed [tokens, hidden]
    record MixerHalf(Tensor normed, Tensor rstd, MixerBlock.Tape tape) {}

    /// @param output null where outputs are not normalised
    /// @param stream [tokens, hidden], the residual stream between the two halves
    record Middle(Output output, Tensor stream) {}

    /// @param normed [tokens, hidden]
    /// @param output null where outputs are not normalised
    record FeedForwardHalf(Tensor normed, Tensor rstd, FeedForwardBlock.Tape tape, Output output) {}

    /// A half's output before its norm, [tokens, hidden].
    record Output(Tensor values, Tensor rstd) {}

    /// What is kept of a tape until the backward pass.
    record Kept(ActivationLevel level, KeptTensors mixer, KeptTensors middle, KeptTensors feedForward) {}

    Kept keep(ActivationLevel level, Scope step, long tokens) {
        return new Kept(level, new KeptTensors(level, step, tensors -> mixerHalf(tensors, tokens)),
                new KeptTensors(level, step, tensors -> middle(tensors, tokens)),
                new KeptTensors(level, step, tensors -> feedForwardHalf(tensors, tokens)));
    }

    /// A tape for a pass forward, with all that is not kept in `scope`.
    Tape tape(Kept kept, Scope scope, long tokens) {
        return new Tape(mixerHalf(kept.mixer.with(scope), tokens), middle(kept.middle.with(scope), tokens),
                feedForwardHalf(kept.feedForward.with(scope), tokens));
    }

    /// A tape that no backward pass will read.
    Tape tape(Scope scope, long tokens) {
        TapeTensors tensors = TapeTensors.of(scope);
        return new Tape(mixerHalf(tensors, tokens), middle(tensors, tokens), feedForwardHalf(tensors, tokens));
    }

    private MixerHalf mixerHalf(TapeTensors tensors, long tokens) {
        return new MixerHalf(tensors.scratch("layer.normed", backend.activationType(), tokens, hidden()),
                tensors.scratch("layer.rstd", DType.FLOAT32, tokens), mixer.tape(tensors, tokens));
    }

    /// The stream follows from the output cheaply, where there is one.
    private Middle middle(TapeTensors tensors, long tokens) {
        Output output = output(tensors, ActivationLevel.MID, weights.mixerOutputNorm(), tokens);
        return new Middle(output, tensors.take(output == null ? ActivationLevel.MID : null, "layer.middle",
                backend.activationType(), tokens, hidden()));
    }

    private FeedForwardHalf feedForwardHalf(TapeTensors tensors, long tokens) {
        return new FeedForwardHalf(tensors.scratch("layer.middleNormed", backend.activationType(), tokens, hidden()),
                tensors.scratch("layer.middleRstd", DType.FLOAT32, tokens), feedForward.tape(tensors, tokens),
                output(tensors, ActivationLevel.ALL, weights.feedForwardOutputNorm(), tokens));
    }

    /// @param from the least level that keeps the values; what the norm divided by is kept at every level
    private Output output(TapeTensors tensors, ActivationLevel from, Tensor norm, long tokens) {
        return norm == null ? null : new Output(tensors.take(from, "layer.output", backend.activationType(), tokens, hidden()),
                tensors.take(ActivationLevel.HOST, "layer.outputRstd", DType.FLOAT32, tokens));
    }

    private long hidden() {
        return weights.inputNorm().elements();
    }

    FeedForwardBlock feedForward() {
        return feedForward;
    }

    /// @param x [tokens, hidden]
    /// @param routing written
    /// @param y [tokens, hidden], replaced
    void forward(Tensor x, Batch batch, Routing routing, Tape tape, Tensor y, Scope scope) {
        MixerHalf first = tape.mixer;
        Middle middle = tape.middle;
        FeedForwardHalf second = tape.feedForward;
        backend.norm().rmsNorm(x, weights.inputNorm(), epsilon, first.normed, first.rstd);
        mixer.forward(first.normed, batch, first.tape, before(middle.output, middle.stream), scope);
        join(x, middle, second);
        feedForward.forward(second.normed, routing, second.tape, before(second.output, y), scope);
        normalize(second.output, weights.feedForwardOutputNorm(), y);
        backend.elementwise().add(middle.stream, y, y);
    }

    /// From the mixer's output to the stream behind it, and to what the second half reads.
    private void join(Tensor x, Middle middle, FeedForwardHalf second) {
        normalize(middle.output, weights.mixerOutputNorm(), middle.stream);
        backend.norm().addRmsNorm(middle.stream, x, weights.feedForwardNorm(), epsilon, middle.stream, second.normed, second.rstd);
    }

    /// Where a half writes to: what its norm reads, or what is added to the stream.
    private static Tensor before(Output output, Tensor otherwise) {
        return output == null ? otherwise : output.values;
    }

    /// From a half's output to what is added to the stream.
    private void normalize(Output output, Tensor norm, Tensor to) {
        if (output != null) {
            backend.norm().rmsNorm(output.values, norm, epsilon, to, output.rstd);
        }
        if (residualScale != 1) {
            backend.elementwise().scale(to, residualScale);
        }
    }

    /// Computes again what is not kept, when it is needed: the second half before the first.
    ///
    /// @param gradient [tokens, hidden]: gradient of the output on entry, of the input on return
    /// @param lowest nothing below this layer is trained, so the gradient of the input is not computed
    void backward(Tensor gradient, Tensor x, Batch batch, Routing routing, Kept kept, boolean lowest, Scope scope) {
        long tokens = x.dim(0);
        Middle middle = middle(kept.middle.with(scope), tokens);
        boolean keepsMiddle = kept.level.keeps(ActivationLevel.MID);
        MixerHalf early = keepsMiddle || mixer.keepsResult(kept.level) ? null : again(x, batch, kept, scope);
        if (!keepsMiddle) {
            mixer.output(early == null ? mixerHalf(kept.mixer.alone(), tokens).tape : early.tape,
                    before(middle.output, middle.stream), scope);
        }
        try (Scope half = scope.child("feed forward backward")) {
            FeedForwardHalf second = feedForwardHalf(kept.feedForward.with(half), tokens);
            if (keepsMiddle && middle.output == null) {
                backend.norm().rmsNorm(middle.stream, weights.feedForwardNorm(), epsilon, second.normed, second.rstd);
            } else {
                join(x, middle, second);
            }
            feedForwardBackward(gradient, middle.stream, routing, kept.level, second, half);
        }
        try (Scope half = scope.child("mixer backward")) {
            MixerHalf first = early == null ? again(x, batch, kept, half) : early;
            mixerBackward(gradient, x, batch, middle, first, lowest, half);
        }
    }

    /// The first half again, but for its output.
    private MixerHalf again(Tensor x, Batch batch, Kept kept, Scope scope) {
        MixerHalf first = mixerHalf(kept.mixer.with(scope), x.dim(0));
        backend.norm().rmsNorm(x, weights.inputNorm(), epsilon, first.normed, first.rstd);
        mixer.recompute(first.normed, batch, kept.level, first.tape, scope);
        return first;
    }

    private void feedForwardBackward(Tensor gradient, Tensor stream, Routing routing, ActivationLevel level, FeedForwardHalf second,
            Scope half) {
        feedForward.recompute(second.normed, routing, level, second.tape,
                second.output == null || level.keeps(ActivationLevel.ALL) ? null : second.output.values, half);
        Tensor dNormed = like(half, "layer.dMiddleNormed", stream);
        Tensor dOutput = unnormalized(gradient, second.output, weights.feedForwardOutputNorm(), half);
        feedForward.backward(dOutput, second.normed, routing, second.tape, dNormed, half);
        backend.norm().rmsNormBackward(dNormed, stream, weights.feedForwardNorm(), second.rstd, gradient, Accumulate.ADD);
    }

    private void mixerBackward(Tensor gradient, Tensor x, Batch batch, Middle middle, MixerHalf first, boolean lowest, Scope half) {
        Tensor dNormed = lowest ? null : like(half, "layer.dNormed", x);
        Tensor dOutput = unnormalized(gradient, middle.output, weights.mixerOutputNorm(), half);
        mixer.backward(dOutput, first.normed, batch, first.tape, dNormed, half);
        if (!lowest) {
            backend.norm().rmsNormBackward(dNormed, x, weights.inputNorm(), first.rstd, gradient, Accumulate.ADD);
        }
    }

    /// Gradient of a half's output, before its norm and its factor.
    private Tensor unnormalized(Tensor gradient, Output output, Tensor norm, Scope scope) {
        if (output == null && residualScale == 1) {
            return gradient;
        }
        Tensor before = like(scope, "layer.dOutput", gradient);
        if (output == null) {
            backend.elementwise().copyColumns(gradient, 0, before, 0, Math.toIntExact(gradient.dim(-1)));
        } else {
            backend.norm().rmsNormBackward(gradient, output.values, norm, output.rstd, before, Accumulate.REPLACE);
        }
        if (residualScale != 1) {
            backend.elementwise().scale(before, residualScale);
        }
        return before;
    }

    private static Tensor like(Scope scope, String name, Tensor like) {
        return scope.allocate(name, like.dtype(), like.shape());
    }
}
