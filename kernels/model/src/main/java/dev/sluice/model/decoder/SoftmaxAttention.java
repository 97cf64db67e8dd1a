package dev.sluice.model.decoder;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps;
import dev.sluice.compute.op.RotaryOps.Angles;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.NormedHeads;
import dev.sluice.model.config.AttentionConfig;

/// What every kind of attention shares: rotation, and the softmax over keys.
final class SoftmaxAttention {
    private final Backend backend;
    private final AttentionOps.Shape shape;
    private final RopeTable rope;

    SoftmaxAttention(Backend backend, AttentionConfig config, Tensor sinks, RopeTable rope) {
        this.backend = backend;
        this.shape = new AttentionOps.Shape(config.heads(), config.kvHeads(), config.headDim(), config.valueDim(),
                config.scale(), config.window(), sinks);
        this.rope = rope;
    }

    /// @param query [tokens, heads, headDim], rotated, as is `key`
    /// @param mixed [tokens, heads, valueDim], the result
    /// @param lse FLOAT32 [tokens, heads]
    record Tape(Tensor query, Tensor key, Tensor value, Tensor mixed, Tensor lse) {}

    Tape tape(TapeTensors tensors, long tokens, Tensor query, Tensor key, Tensor value) {
        return new Tape(query, key, value, tensors.take(ActivationLevel.ATTN, "attention.mixed", backend.activationType(), tokens,
                shape.heads(), shape.valueDim()), tensors.take(ActivationLevel.ATTN, "attention.lse", DType.FLOAT32, tokens, shape.heads()));
    }

    void rotate(Tensor heads, Batch batch, Direction direction) {
        backend.rotary().rotate(heads, batch.positions(), rope.cos(), rope.sin(), rope.pairing(), direction);
    }

    /// Norm and rotation in one, out of place.
    void normRotate(NormedHeads query, Tensor rotatedQuery, NormedHeads key, Tensor rotatedKey, float epsilon, Batch batch) {
        backend.rotary().normRotate(query, rotatedQuery, key, rotatedKey, epsilon, angles(batch));
    }

    void normRotateBackward(NormedHeads query, Tensor dQuery, NormedHeads key, Tensor dKey, Batch batch) {
        backend.rotary().normRotateBackward(query, dQuery, key, dKey, angles(batch));
    }

    private Angles angles(Batch batch) {
        return new Angles(batch.positions(), rope.cos(), rope.sin(), rope.pairing());
    }

    void forward(Batch batch, Tape tape, Scope scope) {
        try (Scope scratch = scope.child("attention")) {
            backend.attention().forward(tape.query, tape.key, tape.value, batch.segments(), shape, tape.mixed, tape.lse, scratch);
        }
    }

    /// Attends again, unless the result is kept.
    void recompute(Batch batch, ActivationLevel level, Tape tape, Scope scope) {
        if (!level.keeps(ActivationLevel.ATTN)) {
            forward(batch, tape, scope);
        }
    }

    void backward(Tensor dMixed, Batch batch, Tape tape, Tensor dq, Tensor dk, Tensor dv, Scope scope) {
        try (Scope scratch = scope.child("attention")) {
            backend.attention().backward(dMixed, tape.query, tape.key, tape.value, tape.mixed, tape.lse, batch.segments(), shape,
                    dq, dk, dv, scratch);
        }
    }
}
