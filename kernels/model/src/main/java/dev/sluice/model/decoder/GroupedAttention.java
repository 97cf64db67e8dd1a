package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.NormedHeads;
import dev.sluice.model.config.AttentionConfig.Grouped;
import dev.sluice.model.config.AttentionConfig.QkNorm;
import dev.sluice.model.decoder.DecoderWeights.GroupedWeights;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.List;

/// Grouped-query attention with rotary positions: projections, optional norms, rotation, attention, output.
final class GroupedAttention implements MixerBlock {
    private final Backend backend;
    private final Grouped config;
    private final SoftmaxAttention softmax;
    private final LinearPass linears;
    private final float epsilon;
    private final Linear query;
    private final Linear key;
    private final Linear value;
    private final Linear output;
    private final Tensor queryNorm;
    private final Tensor keyNorm;

    GroupedAttention(Backend backend, Grouped config, double epsilon, GroupedWeights weights, LoraBinding lora, int layer,
            RopeTable rope) {
        this.backend = backend;
        this.config = config;
        this.softmax = new SoftmaxAttention(backend, config, weights.sinks(), rope);
        this.linears = new LinearPass(backend);
        this.epsilon = (float) epsilon;
        this.query = LoraBinding.linear(lora, weights.query(), layer, Kind.QUERY);
        this.key = LoraBinding.linear(lora, weights.key(), layer, Kind.KEY);
        this.value = LoraBinding.linear(lora, weights.value(), layer, Kind.VALUE);
        this.output = LoraBinding.linear(lora, weights.output(), layer, Kind.OUTPUT);
        this.queryNorm = weights.queryNorm();
        this.keyNorm = weights.keyNorm();
    }

    /// @param query [tokens, heads, headDim] as projected, before norm and rotation; where there is no norm the same
    ///     tensor as goes into attention
    /// @param value as projected; where nothing is clipped the same tensor as goes into attention
    record GroupedTape(Tensor query, Tensor key, Tensor value, Tensor queryZ, Tensor keyZ, Tensor valueZ, Tensor outputZ, Tensor queryRstd,
            Tensor keyRstd, SoftmaxAttention.Tape softmax) implements Tape {}

    @Override
    public Tape tape(TapeTensors tensors, long tokens) {
        Tensor q = projected(tensors, "attention.query", tokens, config.heads());
        Tensor k = projected(tensors, "attention.key", tokens, config.kvHeads());
        Tensor v = projected(tensors, "attention.value", tokens, config.kvHeads());
        boolean norm = config.qkNorm() != QkNorm.NONE;
        return new GroupedTape(q, k, v, linears.z(tensors, query, tokens), linears.z(tensors, key, tokens),
                linears.z(tensors, value, tokens), linears.z(tensors, output, tokens), rstd(tensors, tokens, config.heads()),
                rstd(tensors, tokens, config.kvHeads()),
                softmax.tape(tensors, tokens, norm ? prepared(tensors, "attention.rotatedQuery", tokens, config.heads()) : q,
                        norm ? prepared(tensors, "attention.rotatedKey", tokens, config.kvHeads()) : k,
                        config.clip() > 0 ? prepared(tensors, "attention.clippedValue", tokens, config.kvHeads()) : v));
    }

    private Tensor projected(TapeTensors tensors, String name, long tokens, int heads) {
        return tensors.take(ActivationLevel.QKV, name, backend.activationType(), tokens, heads, config.headDim());
    }

    private Tensor prepared(TapeTensors tensors, String name, long tokens, int heads) {
        return tensors.scratch(name, backend.activationType(), tokens, heads, config.headDim());
    }

    private Tensor rstd(TapeTensors tensors, long tokens, int heads) {
        return switch (config.qkNorm()) {
            case NONE -> null;
            case HEADS -> tensors.scratch("attention.rstd", DType.FLOAT32, tokens * heads);
            case WHOLE -> tensors.scratch("attention.rstd", DType.FLOAT32, tokens);
        };
    }

    @Override
    public void forward(Tensor x, Batch batch, Tape tape, Tensor y, Scope scope) {
        var saved = (GroupedTape) tape;
        linears.forward(x, inputs(saved, saved.query, saved.key, saved.value), scope);
        prepare(saved, batch);
        softmax.forward(batch, saved.softmax, scope);
        linears.forward(saved.softmax.mixed(), output, saved.outputZ, y, scope);
    }

    @Override
    public boolean keepsResult(ActivationLevel level) {
        return level.keeps(ActivationLevel.ATTN);
    }

    @Override
    public void recompute(Tensor x, Batch batch, ActivationLevel level, Tape tape, Scope scope) {
        var saved = (GroupedTape) tape;
        boolean kept = level.keeps(ActivationLevel.QKV);
        if (!kept) {
            linears.recompute(x, inputs(saved, saved.query, saved.key, saved.value), scope);
        }
        if (!kept || saved.query != saved.softmax.query()) {
            prepare(saved, batch);
        }
        softmax.recompute(batch, level, saved.softmax, scope);
    }

    @Override
    public void output(Tape tape, Tensor y, Scope scope) {
        var saved = (GroupedTape) tape;
        linears.recompute(saved.softmax.mixed(), output, saved.outputZ, y, scope);
    }

    /// From projections to what goes into attention; where there is no norm that is done in place.
    private void prepare(GroupedTape saved, Batch batch) {
        var inner = saved.softmax;
        if (fused()) {
            softmax.normRotate(queryHeads(saved), inner.query(), keyHeads(saved), inner.key(), epsilon, batch);
        } else {
            normalizeAndRotate(saved, batch);
        }
    }

    /// Whether norm and rotation are one operation.
    private boolean fused() {
        return config.qkNorm() == QkNorm.HEADS && config.clip() == 0;
    }

    private NormedHeads queryHeads(GroupedTape saved) {
        return new NormedHeads(saved.query, queryNorm, saved.queryRstd);
    }

    private NormedHeads keyHeads(GroupedTape saved) {
        return new NormedHeads(saved.key, keyNorm, saved.keyRstd);
    }

    private void normalizeAndRotate(GroupedTape saved, Batch batch) {
        var inner = saved.softmax;
        if (config.qkNorm() != QkNorm.NONE) {
            normalize(saved.query, queryNorm, inner.query(), saved.queryRstd);
            normalize(saved.key, keyNorm, inner.key(), saved.keyRstd);
        }
        if (config.clip() > 0) {
            backend.elementwise().clamp(inner.query(), config.clip(), inner.query());
            backend.elementwise().clamp(inner.key(), config.clip(), inner.key());
            backend.elementwise().clamp(saved.value, config.clip(), inner.value());
        }
        softmax.rotate(inner.query(), batch, Direction.FORWARD);
        softmax.rotate(inner.key(), batch, Direction.FORWARD);
    }

    @Override
    public void backward(Tensor dy, Tensor x, Batch batch, Tape tape, Tensor dx, Scope scope) {
        var saved = (GroupedTape) tape;
        var inner = saved.softmax;
        DType type = backend.activationType();
        Tensor dMixed = scope.allocate("attention.dMixed", type, inner.mixed().shape());
        Tensor dq = scope.allocate("attention.dQuery", type, saved.query.shape());
        Tensor dk = scope.allocate("attention.dKey", type, saved.key.shape());
        Tensor dv = scope.allocate("attention.dValue", type, inner.value().shape());
        linears.backward(dy, inner.mixed(), saved.outputZ, output, dMixed, Accumulate.REPLACE, scope);
        softmax.backward(dMixed, batch, inner, dq, dk, dv, scope);
        if (fused()) {
            softmax.normRotateBackward(queryHeads(saved), dq, keyHeads(saved), dk, batch);
        } else {
            unrotateAndUnnorm(saved, dq, dk, dv, batch, scope);
        }
        linears.backward(x, inputs(saved, dq, dk, dv), dx, Accumulate.REPLACE, scope);
    }

    private void unrotateAndUnnorm(GroupedTape saved, Tensor dq, Tensor dk, Tensor dv, Batch batch, Scope scope) {
        softmax.rotate(dq, batch, Direction.BACKWARD);
        softmax.rotate(dk, batch, Direction.BACKWARD);
        if (config.clip() > 0) {
            unclip(dq, saved.query, queryNorm, saved.queryRstd, scope);
            unclip(dk, saved.key, keyNorm, saved.keyRstd, scope);
            backend.elementwise().clampBackward(dv, saved.value, config.clip());
        }
        if (config.qkNorm() != QkNorm.NONE) {
            unnorm(dq, saved.query, queryNorm, saved.queryRstd);
            unnorm(dk, saved.key, keyNorm, saved.keyRstd);
        }
    }

    /// The three layers of x with their outputs or the gradients of those.
    private List<Branch> inputs(GroupedTape saved, Tensor q, Tensor k, Tensor v) {
        return List.of(new Branch(query, saved.queryZ, q), new Branch(key, saved.keyZ, k), new Branch(value, saved.valueZ, v));
    }

    private void normalize(Tensor projected, Tensor weight, Tensor to, Tensor rstd) {
        backend.norm().rmsNorm(normed(projected), weight, epsilon, normed(to), rstd);
    }

    /// What was clipped was normalised before; it is normalised again, because only the clipped numbers are kept.
    private void unclip(Tensor gradient, Tensor projected, Tensor weight, Tensor rstd, Scope scope) {
        try (Scope scratch = scope.child("clip")) {
            Tensor unclipped = scratch.allocate("attention.unclipped", projected.dtype(), projected.shape());
            normalize(projected, weight, unclipped, rstd);
            backend.elementwise().clampBackward(gradient, unclipped, config.clip());
        }
    }

    private void unnorm(Tensor gradient, Tensor projected, Tensor weight, Tensor rstd) {
        backend.norm().rmsNormBackward(normed(gradient), normed(projected), weight, rstd, normed(gradient), Accumulate.REPLACE);
    }

    /// The rows that are normalised: heads, or all heads of a token.
    private Tensor normed(Tensor heads) {
        return config.qkNorm() == QkNorm.WHOLE ? LinearPass.matrix(heads) : heads;
    }
}
