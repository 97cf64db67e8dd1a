package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.config.StreamConfig;
import dev.sluice.model.decoder.DecoderWeights.LayerWeights;
import dev.sluice.model.decoder.FeedForwardBlock.Pass;

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

    /// What the backward pass reads: everything between the layer's input and its output.
    ///
    /// @param middle [tokens, hidden], the residual stream between the two halves
    /// @param mixerOutput null where outputs are not normalised, as is `feedForwardOutput`
    record Tape(Tensor normed, Tensor rstd, MixerBlock.Tape mixer, Output mixerOutput, Tensor middle,
            Tensor middleNormed, Tensor middleRstd, FeedForwardBlock.Tape feedForward, Output feedForwardOutput) {}

    /// A half's output before its norm, [tokens, hidden].
    record Output(Tensor values, Tensor rstd) {}

    /// @param like [tokens, hidden]
    Tape tape(Scope scope, Tensor like) {
        long tokens = like.dim(0);
        return new Tape(hidden(scope, "layer.normed", like), scope.allocate("layer.rstd", DType.FLOAT32, tokens),
                mixer.tape(scope, tokens), output(scope, weights.mixerOutputNorm(), like),
                hidden(scope, "layer.middle", like), hidden(scope, "layer.middleNormed", like),
                scope.allocate("layer.middleRstd", DType.FLOAT32, tokens), feedForward.tape(scope, tokens),
                output(scope, weights.feedForwardOutputNorm(), like));
    }

    private static Output output(Scope scope, Tensor norm, Tensor like) {
        return norm == null ? null : new Output(hidden(scope, "layer.output", like),
                scope.allocate("layer.outputRstd", DType.FLOAT32, like.dim(0)));
    }

    FeedForwardBlock feedForward() {
        return feedForward;
    }

    /// @param x [tokens, hidden]
    /// @param y [tokens, hidden], replaced; in a pass that runs again it is only scratch
    void forward(Tensor x, Batch batch, Routing routing, Pass pass, Tape tape, Tensor y, Scope scope) {
        backend.norm().rmsNorm(x, weights.inputNorm(), epsilon, tape.normed, tape.rstd);
        mixer.forward(tape.normed, batch, tape.mixer, before(tape.mixerOutput, tape.middle), scope);
        normalize(tape.mixerOutput, weights.mixerOutputNorm(), tape.middle);
        backend.elementwise().add(tape.middle, x, tape.middle);
        backend.norm().rmsNorm(tape.middle, weights.feedForwardNorm(), epsilon, tape.middleNormed, tape.middleRstd);
        feedForward.forward(tape.middleNormed, routing, pass, pass == Pass.FIRST || tape.feedForwardOutput != null,
                tape.feedForward, before(tape.feedForwardOutput, y), scope);
        normalize(tape.feedForwardOutput, weights.feedForwardOutputNorm(), y);
        if (pass == Pass.FIRST) {
            backend.elementwise().add(tape.middle, y, y);
        }
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

    /// @param gradient [tokens, hidden]: gradient of the output on entry, of the input on return
    /// @param lowest nothing below this layer is trained, so the gradient of the input is not computed
    void backward(Tensor gradient, Tensor x, Batch batch, Routing routing, Tape tape, boolean lowest, Scope scope) {
        try (Scope half = scope.child("feed forward backward")) {
            Tensor dNormed = hidden(half, "layer.dMiddleNormed", x);
            Tensor dOutput = unnormalized(gradient, tape.feedForwardOutput, weights.feedForwardOutputNorm(), half);
            feedForward.backward(dOutput, tape.middleNormed, routing, tape.feedForward, dNormed, half);
            backend.norm().rmsNormBackward(dNormed, tape.middle, weights.feedForwardNorm(), tape.middleRstd, gradient,
                    Accumulate.ADD);
        }
        try (Scope half = scope.child("mixer backward")) {
            Tensor dNormed = lowest ? null : hidden(half, "layer.dNormed", x);
            Tensor dOutput = unnormalized(gradient, tape.mixerOutput, weights.mixerOutputNorm(), half);
            mixer.backward(dOutput, tape.normed, batch, tape.mixer, dNormed, half);
            if (!lowest) {
                backend.norm().rmsNormBackward(dNormed, x, weights.inputNorm(), tape.rstd, gradient, Accumulate.ADD);
            }
        }
    }

    /// Gradient of a half's output, before its norm and its factor.
    private Tensor unnormalized(Tensor gradient, Output output, Tensor norm, Scope scope) {
        if (output == null && residualScale == 1) {
            return gradient;
        }
        Tensor before = hidden(scope, "layer.dOutput", gradient);
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

    private static Tensor hidden(Scope scope, String name, Tensor like) {
        return scope.allocate(name, like.dtype(), like.shape());
    }
}
