package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.AttentionOps;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.Pairing;
import dev.sluice.model.config.AttentionConfig;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.decoder.DecoderWeights.AttentionWeights;
import dev.sluice.model.lora.LoraSite.Kind;

/// Grouped-query attention with rotary positions: projections, optional head norms, rotation, attention, output.
final class AttentionBlock {
    private final Backend backend;
    private final AttentionConfig config;
    private final AttentionOps.Shape shape;
    private final float epsilon;
    private final RopeTable rope;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear output;
    private final Tensor queryNorm;
    private final Tensor keyNorm;

    AttentionBlock(Backend backend, DecoderConfig config, AttentionWeights weights, LoraBinding lora, int layer, RopeTable rope) {
        this.backend = backend;
        this.config = config.attention();
        this.shape = new AttentionOps.Shape(this.config.heads(), this.config.kvHeads(), this.config.headDim(),
                this.config.headDim(), this.config.scale(), this.config.window(), null);
        this.epsilon = (float) config.normEpsilon();
        this.rope = rope;
        this.query = LoraBinding.linear(lora, weights.query(), layer, Kind.QUERY);
        this.key = LoraBinding.linear(lora, weights.key(), layer, Kind.KEY);
        this.value = LoraBinding.linear(lora, weights.value(), layer, Kind.VALUE);
        this.output = LoraBinding.linear(lora, weights.output(), layer, Kind.OUTPUT);
        this.queryNorm = weights.queryNorm();
        this.keyNorm = weights.keyNorm();
    }

    /// What the backward pass reads.
    ///
    /// @param query [tokens, heads, headDim] as projected, before norm and rotation
    /// @param rotatedQuery as it goes into attention; the same tensor where heads are not normalised
    record Tape(Tensor query, Tensor key, Tensor value, Tensor queryZ, Tensor keyZ, Tensor valueZ, Tensor outputZ,
            Tensor rotatedQuery, Tensor rotatedKey, Tensor queryRstd, Tensor keyRstd, Tensor mixed, Tensor lse) {}

    Tape tape(Scope scope, long tokens) {
        DType type = backend.activationType();
        Tensor q = scope.allocate("attention.query", type, tokens, config.heads(), config.headDim());
        Tensor k = scope.allocate("attention.key", type, tokens, config.kvHeads(), config.headDim());
        boolean norm = config.qkNorm();
        return new Tape(q, k, scope.allocate("attention.value", type, tokens, config.kvHeads(), config.headDim()),
                z(scope, query, tokens), z(scope, key, tokens), z(scope, value, tokens), z(scope, output, tokens),
                norm ? scope.allocate("attention.rotatedQuery", type, q.shape()) : q,
                norm ? scope.allocate("attention.rotatedKey", type, k.shape()) : k,
                norm ? scope.allocate("attention.queryRstd", DType.FLOAT32, tokens * config.heads()) : null,
                norm ? scope.allocate("attention.keyRstd", DType.FLOAT32, tokens * config.kvHeads()) : null,
                scope.allocate("attention.mixed", type, q.shape()),
                scope.allocate("attention.lse", DType.FLOAT32, tokens, config.heads()));
    }

    /// @param x [tokens, hidden], normalised
    /// @param y [tokens, hidden]
    void forward(Tensor x, Batch batch, Tape tape, Tensor y, Scope scope) {
        project(x, query, tape.queryZ, tape.query, scope);
        project(x, key, tape.keyZ, tape.key, scope);
        project(x, value, tape.valueZ, tape.value, scope);
        if (config.qkNorm()) {
            backend.norm().rmsNorm(tape.query, queryNorm, epsilon, tape.rotatedQuery, tape.queryRstd);
            backend.norm().rmsNorm(tape.key, keyNorm, epsilon, tape.rotatedKey, tape.keyRstd);
        }
        rotate(tape.rotatedQuery, batch, Direction.FORWARD);
        rotate(tape.rotatedKey, batch, Direction.FORWARD);
        try (Scope scratch = scope.child("attention")) {
            backend.attention().forward(tape.rotatedQuery, tape.rotatedKey, tape.value, batch.segments(), shape,
                    tape.mixed, tape.lse, scratch);
        }
        try (Scope scratch = scope.child("o_proj")) {
            backend.linear().forward(matrix(tape.mixed), output, tape.outputZ, y, scratch);
        }
    }

    /// @param dy [tokens, hidden]
    /// @param x the forward pass's input
    /// @param dx [tokens, hidden], replaced, or null where nothing below is trained
    void backward(Tensor dy, Tensor x, Batch batch, Tape tape, Tensor dx, Scope scope) {
        DType type = backend.activationType();
        Tensor dMixed = scope.allocate("attention.dMixed", type, tape.mixed.shape());
        Tensor dq = scope.allocate("attention.dQuery", type, tape.query.shape());
        Tensor dk = scope.allocate("attention.dKey", type, tape.key.shape());
        Tensor dv = scope.allocate("attention.dValue", type, tape.value.shape());
        try (Scope scratch = scope.child("o_proj")) {
            backend.linear().backward(dy, matrix(tape.mixed), tape.outputZ, output, matrix(dMixed), Accumulate.REPLACE, scratch);
        }
        try (Scope scratch = scope.child("attention")) {
            backend.attention().backward(dMixed, tape.rotatedQuery, tape.rotatedKey, tape.value, tape.mixed, tape.lse,
                    batch.segments(), shape, dq, dk, dv, scratch);
        }
        rotate(dq, batch, Direction.BACKWARD);
        rotate(dk, batch, Direction.BACKWARD);
        if (config.qkNorm()) {
            backend.norm().rmsNormBackward(dq, tape.query, queryNorm, tape.queryRstd, dq, Accumulate.REPLACE);
            backend.norm().rmsNormBackward(dk, tape.key, keyNorm, tape.keyRstd, dk, Accumulate.REPLACE);
        }
        unproject(dq, x, tape.queryZ, query, dx, Accumulate.REPLACE, scope);
        unproject(dk, x, tape.keyZ, key, dx, Accumulate.ADD, scope);
        unproject(dv, x, tape.valueZ, value, dx, Accumulate.ADD, scope);
    }

    private void project(Tensor x, Linear layer, Tensor z, Tensor heads, Scope scope) {
        try (Scope scratch = scope.child("projection")) {
            backend.linear().forward(x, layer, z, matrix(heads), scratch);
        }
    }

    private void unproject(Tensor dHeads, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scope) {
        if (dx == null && layer.lora() == null) {
            return;
        }
        try (Scope scratch = scope.child("projection")) {
            backend.linear().backward(matrix(dHeads), x, z, layer, dx, mode, scratch);
        }
    }

    private void rotate(Tensor heads, Batch batch, Direction direction) {
        backend.rotary().rotate(heads, batch.positions(), rope.cos(), rope.sin(), Pairing.HALVES, direction);
    }

    private Tensor z(Scope scope, Linear layer, long tokens) {
        return layer.rank() == 0 ? null : scope.allocate("lora.z", backend.activationType(), tokens, layer.rank());
    }

    private static Tensor matrix(Tensor heads) {
        return heads.reshape(heads.dim(0), heads.dim(1) * heads.dim(2));
    }
}
