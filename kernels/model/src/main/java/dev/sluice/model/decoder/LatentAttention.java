package dev.sluice.model.decoder;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.LinearOps.Branch;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.model.config.AttentionConfig.Latent;
import dev.sluice.model.decoder.DecoderWeights.LatentWeights;
import dev.sluice.model.decoder.LatentProjection.LatentProjectionTape;
import dev.sluice.model.lora.LoraSite.Kind;
import java.util.List;

/// Multi-head latent attention. Heads are [plain | rotated]; the rotated part of the key is one for all heads.
final class LatentAttention implements MixerBlock {
    private final Backend backend;
    private final Latent config;
    private final int rotated;
    private final SoftmaxAttention softmax;
    private final LinearPass linears;
    private final LatentProjection query;
    private final LatentProjection keyValue;
    private final Linear output;

    LatentAttention(Backend backend, Latent config, LatentWeights weights, LoraBinding lora, int layer, RopeTable rope) {
        this.backend = backend;
        this.config = config;
        this.rotated = config.rope().rotated();
        this.softmax = new SoftmaxAttention(backend, config, null, rope);
        this.linears = new LinearPass(backend);
        boolean narrow = config.queryRank() > 0;
        this.query = new LatentProjection(backend,
                narrow ? LoraBinding.linear(lora, weights.queryDown(), layer, Kind.QUERY_DOWN) : null, weights.queryNorm(),
                LoraBinding.linear(lora, weights.queryUp(), layer, narrow ? Kind.QUERY_UP : Kind.QUERY), config.queryRank());
        this.keyValue = new LatentProjection(backend,
                LoraBinding.linear(lora, weights.keyValueDown(), layer, Kind.KEY_VALUE_DOWN), weights.keyValueNorm(),
                LoraBinding.linear(lora, weights.keyValueUp(), layer, Kind.KEY_VALUE_UP), config.kvRank());
        this.output = LoraBinding.linear(lora, weights.output(), layer, Kind.OUTPUT);
    }

    record LatentTape(LatentProjectionTape query, LatentProjectionTape keyValue, Tensor outputZ, SoftmaxAttention.Tape softmax)
            implements Tape {}

    @Override
    public Tape tape(TapeTensors tensors, long tokens) {
        return new LatentTape(query.tape(tensors, tokens), keyValue.tape(tensors, tokens), linears.z(tensors, output, tokens),
                softmax.tape(tensors, tokens, projected(tensors, "attention.query", tokens, config.headDim()),
                        projected(tensors, "attention.key", tokens, config.headDim()),
                        projected(tensors, "attention.value", tokens, config.valueDim())));
    }

    private Tensor projected(TapeTensors tensors, String name, long tokens, int width) {
        return tensors.take(ActivationLevel.QKV, name, backend.activationType(), tokens, config.heads(), width);
    }

    private Tensor heads(Scope scope, String name, long tokens, int width) {
        return scope.allocate(name, backend.activationType(), tokens, config.heads(), width);
    }

    @Override
    public void forward(Tensor x, Batch batch, Tape tape, Tensor y, Scope scope) {
        var saved = (LatentTape) tape;
        project(x, batch, saved, false, scope);
        softmax.forward(batch, saved.softmax, scope);
        linears.forward(saved.softmax.mixed(), output, saved.outputZ, y, scope);
    }

    @Override
    public boolean keepsResult(ActivationLevel level) {
        return level.keeps(ActivationLevel.ATTN);
    }

    @Override
    public void recompute(Tensor x, Batch batch, ActivationLevel level, Tape tape, Scope scope) {
        var saved = (LatentTape) tape;
        if (level.keeps(ActivationLevel.QKV)) {
            query.normalize(saved.query);
            keyValue.normalize(saved.keyValue);
        } else {
            project(x, batch, saved, true, scope);
        }
        softmax.recompute(batch, level, saved.softmax, scope);
    }

    @Override
    public void output(Tape tape, Tensor y, Scope scope) {
        var saved = (LatentTape) tape;
        linears.recompute(saved.softmax.mixed(), output, saved.outputZ, y, scope);
    }

    /// @param again with the forward pass's z's
    private void project(Tensor x, Batch batch, LatentTape saved, boolean again, Scope scope) {
        var inner = saved.softmax;
        try (Scope scratch = scope.child("latent")) {
            Tensor shared = sharedKey(scratch, x.dim(0));
            Tensor keyValues = heads(scratch, "attention.keyValue", x.dim(0), config.plainDim() + config.valueDim());
            Branch toQuery = query.input(saved.query, inner.query(), scratch);
            Branch toKeyValue = keyValue.input(saved.keyValue, keyValues, scratch);
            if (again) {
                linears.recompute(x, List.of(toQuery, toKeyValue), scratch);
                query.recompute(toQuery, saved.query, inner.query(), null, scratch);
                keyValue.recompute(toKeyValue, saved.keyValue, keyValues, shared, scratch);
            } else {
                linears.forward(x, List.of(toQuery, toKeyValue), scratch);
                query.forward(toQuery, saved.query, inner.query(), null, scratch);
                keyValue.forward(toKeyValue, saved.keyValue, keyValues, shared, scratch);
            }
            rotateTail(inner.query(), batch, Direction.FORWARD, scratch);
            softmax.rotate(shared, batch, Direction.FORWARD);
            ElementwiseOps copies = backend.elementwise();
            copies.copyColumns(keyValues, 0, inner.key(), 0, config.plainDim());
            copies.copyColumns(shared, 0, inner.key(), config.plainDim(), rotated);
            copies.copyColumns(keyValues, config.plainDim(), inner.value(), 0, config.valueDim());
        }
    }

    private Tensor sharedKey(Scope scope, long tokens) {
        return scope.allocate("attention.sharedKey", backend.activationType(), tokens, 1, rotated);
    }

    /// Rotates the last part of every head.
    private void rotateTail(Tensor heads, Batch batch, Direction direction, Scope scope) {
        Tensor tail = heads(scope, "attention.tail", heads.dim(0), rotated);
        backend.elementwise().copyColumns(heads, config.plainDim(), tail, 0, rotated);
        softmax.rotate(tail, batch, direction);
        backend.elementwise().copyColumns(tail, 0, heads, config.plainDim(), rotated);
    }

    @Override
    public void backward(Tensor dy, Tensor x, Batch batch, Tape tape, Tensor dx, Scope scope) {
        var saved = (LatentTape) tape;
        var inner = saved.softmax;
        DType type = backend.activationType();
        Tensor dMixed = scope.allocate("attention.dMixed", type, inner.mixed().shape());
        Tensor dq = scope.allocate("attention.dQuery", type, inner.query().shape());
        Tensor dk = scope.allocate("attention.dKey", type, inner.key().shape());
        Tensor dv = scope.allocate("attention.dValue", type, inner.value().shape());
        linears.backward(dy, inner.mixed(), saved.outputZ, output, dMixed, Accumulate.REPLACE, scope);
        softmax.backward(dMixed, batch, inner, dq, dk, dv, scope);
        rotateTail(dq, batch, Direction.BACKWARD, scope);
        linears.backward(x, List.of(query.backward(dq, null, saved.query, scope), keyValueBackward(dk, dv, batch, saved, scope)), dx,
                Accumulate.REPLACE, scope);
    }

    private Branch keyValueBackward(Tensor dk, Tensor dv, Batch batch, LatentTape saved, Scope scope) {
        Tensor shared = sharedKey(scope, dk.dim(0));
        Tensor keyValues = heads(scope, "attention.dKeyValue", dk.dim(0), config.plainDim() + config.valueDim());
        ElementwiseOps copies = backend.elementwise();
        copies.sumColumns(dk, config.plainDim(), shared, 0, rotated);
        softmax.rotate(shared, batch, Direction.BACKWARD);
        copies.copyColumns(dk, 0, keyValues, 0, config.plainDim());
        copies.copyColumns(dv, 0, keyValues, config.plainDim(), config.valueDim());
        return keyValue.backward(keyValues, shared, saved.keyValue, scope);
    }
}
