package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.Routing;
import dev.sluice.model.decoder.DecoderWeights.LayerWeights;
import dev.sluice.model.decoder.FeedForwardBlock.Pass;

/// One pre-norm layer: `m = x + attention(norm(x))`, `y = m + feedForward(norm(m))`.
final class DecoderLayer {
    private final Backend backend;
    private final float epsilon;
    private final Tensor inputNorm;
    private final AttentionBlock attention;
    private final Tensor postAttentionNorm;
    private final FeedForwardBlock feedForward;

    DecoderLayer(Backend backend, double epsilon, LayerWeights weights, AttentionBlock attention, FeedForwardBlock feedForward) {
        this.backend = backend;
        this.epsilon = (float) epsilon;
        this.inputNorm = weights.inputNorm();
        this.attention = attention;
        this.postAttentionNorm = weights.postAttentionNorm();
        this.feedForward = feedForward;
    }

    /// What the backward pass reads: everything between the layer's input and its output.
    ///
    /// @param middle [tokens, hidden], the residual stream between the two halves
    record Tape(Tensor normed, Tensor rstd, AttentionBlock.Tape attention, Tensor middle, Tensor middleNormed,
            Tensor middleRstd, FeedForwardBlock.Tape feedForward) {}

    /// @param like [tokens, hidden]
    Tape tape(Scope scope, Tensor like) {
        long tokens = like.dim(0);
        return new Tape(hidden(scope, "layer.normed", like), scope.allocate("layer.rstd", DType.FLOAT32, tokens),
                attention.tape(scope, tokens), hidden(scope, "layer.middle", like),
                hidden(scope, "layer.middleNormed", like), scope.allocate("layer.middleRstd", DType.FLOAT32, tokens),
                feedForward.tape(scope, tokens));
    }

    FeedForwardBlock feedForward() {
        return feedForward;
    }

    /// @param x [tokens, hidden]
    /// @param y [tokens, hidden], replaced; in a pass that runs again it is only scratch
    void forward(Tensor x, Batch batch, Routing routing, Pass pass, Tape tape, Tensor y, Scope scope) {
        backend.norm().rmsNorm(x, inputNorm, epsilon, tape.normed, tape.rstd);
        attention.forward(tape.normed, batch, tape.attention, tape.middle, scope);
        backend.elementwise().add(tape.middle, x, tape.middle);
        backend.norm().rmsNorm(tape.middle, postAttentionNorm, epsilon, tape.middleNormed, tape.middleRstd);
        feedForward.forward(tape.middleNormed, routing, pass, tape.feedForward, y, scope);
        if (pass == Pass.FIRST) {
            backend.elementwise().add(tape.middle, y, y);
        }
    }

    /// @param gradient [tokens, hidden]: gradient of the output on entry, of the input on return
    /// @param lowest nothing below this layer is trained, so the gradient of the input is not computed
    void backward(Tensor gradient, Tensor x, Batch batch, Routing routing, Tape tape, boolean lowest, Scope scope) {
        try (Scope half = scope.child("feed forward backward")) {
            Tensor dNormed = hidden(half, "layer.dMiddleNormed", x);
            feedForward.backward(gradient, tape.middleNormed, routing, tape.feedForward, dNormed, half);
            backend.norm().rmsNormBackward(dNormed, tape.middle, postAttentionNorm, tape.middleRstd, gradient, Accumulate.ADD);
        }
        try (Scope half = scope.child("attention backward")) {
            Tensor dNormed = lowest ? null : hidden(half, "layer.dNormed", x);
            attention.backward(gradient, tape.normed, batch, tape.attention, dNormed, half);
            if (!lowest) {
                backend.norm().rmsNormBackward(dNormed, x, inputNorm, tape.rstd, gradient, Accumulate.ADD);
            }
        }
    }

    private static Tensor hidden(Scope scope, String name, Tensor like) {
        return scope.allocate(name, like.dtype(), like.shape());
    }
}
