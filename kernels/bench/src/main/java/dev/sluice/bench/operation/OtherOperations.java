package dev.sluice.bench.operation;

import dev.sluice.bench.floor.ModelShape;
import dev.sluice.bench.floor.Targets;
import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.GatedActivation;
import dev.sluice.compute.op.OptimizerOps.AdamW;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.probe.RandomTensors;
import java.util.List;
import java.util.function.Function;

/// What touches every element once, the head, and the optimiser.
record OtherOperations(Backend backend, ModelShape model, int tokens, int rank) {
    /// More parameters only take longer.
    private static final long MOST_PARAMETERS = 100_000_000;

    List<Operation> all() {
        double row = (double) backend.activationType().bytes() * tokens * model.hidden();
        double wide = (double) backend.activationType().bytes() * tokens * model.denseWidth();
        double logits = 2.0 * tokens * model.hidden() * model.vocabulary();
        double head = (double) backend.activationType().bytes() * model.vocabulary() * (model.hidden() + tokens);
        long parameters = Math.min(MOST_PARAMETERS, model.loraParameters(Targets.ALL, rank));
        return List.of(
                new Operation("embed", 0, 2 * row, (tensors, _) -> {
                    var table = tensors.activations("embedding", 0.02, model.vocabulary(), model.hidden());
                    var ids = tensors.ids("ids", model.vocabulary(), tokens);
                    var out = hidden(tensors);
                    return () -> backend.elementwise().embed(ids, table, out);
                }),
                new Operation("add", 0, 3 * row, (tensors, _) -> {
                    var left = hidden(tensors);
                    var right = hidden(tensors);
                    var sum = hidden(tensors);
                    return () -> backend.elementwise().add(left, right, sum);
                }),
                new Operation("zero", 0, row, (tensors, _) -> {
                    var one = hidden(tensors);
                    return () -> backend.elementwise().zero(one);
                }),
                new Operation("swiglu", 0, 3 * wide, (tensors, _) -> {
                    var gate = wide(tensors);
                    var up = wide(tensors);
                    var out = wide(tensors);
                    return () -> backend.elementwise().gated(GatedActivation.SWIGLU, gate, up, out);
                }),
                new Operation("swiglu backward", 0, 5 * wide, (tensors, _) -> {
                    var dOut = wide(tensors);
                    var gate = wide(tensors);
                    var up = wide(tensors);
                    var dGate = wide(tensors);
                    var dUp = wide(tensors);
                    return () -> backend.elementwise().gatedBackward(GatedActivation.SWIGLU, dOut, gate, up, dGate, dUp);
                }),
                new Operation("rms norm", 0, 2 * row, norm(one -> () ->
                        backend.norm().rmsNorm(one.x, one.weight, 1e-6f, one.y, one.rstd))),
                new Operation("add and rms norm", 0, 4 * row, norm(one -> () ->
                        backend.norm().addRmsNorm(one.x, one.dy, one.weight, 1e-6f, one.sum, one.y, one.rstd))),
                new Operation("rms norm backward", 0, 3 * row, norm(one -> () ->
                        backend.norm().rmsNormBackward(one.dy, one.x, one.weight, one.rstd, one.y, Accumulate.REPLACE))),
                new Operation("rms norm backward, added", 0, 4 * row, norm(one -> () ->
                        backend.norm().rmsNormBackward(one.dy, one.x, one.weight, one.rstd, one.y, Accumulate.ADD))),
                new Operation("cross entropy", 2 * logits, 2 * head + 3 * row, loss(one -> scratch -> () ->
                        backend.loss().crossEntropy(one.hidden, one.layer, one.labels, one.scale, one.nll, null, one.dHidden, scratch))),
                new Operation("score", logits, head + row, loss(one -> scratch -> () ->
                        backend.loss().score(one.hidden, one.layer, one.labels, one.nll, one.predictions, scratch))),
                adamw("adamw of " + parameters, parameters, OptimizerState.EXACT),
                adamw("lean adamw of " + parameters, parameters, OptimizerState.LEAN));
    }

    private Operation adamw(String name, long parameters, OptimizerState state) {
        return new Operation(name, 0, 2.0 * state.bytes(parameters, backend.activationType()), (tensors, _) -> {
            var arena = backend.optimizer().arena(tensors.scope(), parameters, state);
            var norm = tensors.zeros("norm", DType.FLOAT32, 1);
            var settings = new AdamW(1e-4, 0.9, 0.999, 1e-8, 0.01, 1, 1);
            return () -> backend.optimizer().update(arena, settings, norm);
        });
    }

    private Tensor hidden(RandomTensors tensors) {
        return tensors.activations("row", 1, tokens, model.hidden());
    }

    private Tensor wide(RandomTensors tensors) {
        return tensors.activations("wide", 1, tokens, model.denseWidth());
    }

    private record Norm(Tensor x, Tensor dy, Tensor weight, Tensor rstd, Tensor sum, Tensor y) {}

    private Operation.Setup norm(Function<Norm, Operation.Call> call) {
        return (tensors, _) -> {
            var one = new Norm(hidden(tensors), hidden(tensors), tensors.activations("weight", 1, model.hidden()),
                    tensors.zeros("rstd", DType.FLOAT32, tokens), hidden(tensors), hidden(tensors));
            backend.norm().rmsNorm(one.x, one.weight, 1e-6f, one.y, one.rstd);
            return call.apply(one);
        };
    }

    private record Head(Tensor hidden, Linear layer, Tensor labels, Tensor scale, Tensor nll, Tensor dHidden,
            Tensor predictions) {}

    private Operation.Setup loss(Function<Head, Function<Scope, Operation.Call>> call) {
        return (tensors, scratch) -> call.apply(new Head(hidden(tensors),
                new Linear(new Weight.Dense(tensors.activations("head", 0.02, model.vocabulary(), model.hidden())), null, null),
                tensors.ids("labels", model.vocabulary(), tokens), tensors.floats("scale", 1e-3f, 1), tensors.zeros("nll", DType.FLOAT32, tokens), hidden(tensors),
                tensors.ids("predictions", 1, tokens))).apply(scratch);
    }
}
