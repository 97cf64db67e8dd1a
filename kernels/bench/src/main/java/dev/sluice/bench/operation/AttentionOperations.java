package dev.sluice.bench.operation;

import dev.sluice.bench.floor.ModelShape;
import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Segments;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.AttentionOps.Shape;
import dev.sluice.compute.op.RotaryOps.Angles;
import dev.sluice.compute.op.RotaryOps.Direction;
import dev.sluice.compute.op.RotaryOps.NormedHeads;
import dev.sluice.compute.op.RotaryOps.Pairing;
import dev.sluice.compute.probe.Loras;
import dev.sluice.compute.probe.RandomTensors;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/// The attention half of a layer over one causal document: projections with adapters, rotation, attention itself.
record AttentionOperations(Backend backend, ModelShape model, int tokens, int rank) {
    private static final int POSITIONS = 1024;

    List<Operation> all() {
        var all = new ArrayList<Operation>();
        Stream.concat(model.inputs().stream(), Stream.of(model.output())).forEach(one -> projection(all, one.name(), one.in(), one.out()));
        rotate(all);
        normRotate(all);
        attention(all);
        return all;
    }

    private double element() {
        return backend.activationType().bytes();
    }

    private void projection(List<Operation> all, String name, int in, int out) {
        double flops = 2.0 * tokens * in * out;
        double bytes = element() * ((double) tokens * (in + out) + (double) in * out);
        all.add(new Operation(name + " forward", flops, bytes, (tensors, scratch) -> {
            var layer = linear(tensors, in, out);
            var x = tensors.activations("x", 1, tokens, in);
            var y = tensors.zeros("y", backend.activationType(), tokens, out);
            var z = tensors.zeros("z", backend.activationType(), tokens, rank);
            return () -> backend.linear().forward(x, layer, z, y, scratch);
        }));
        all.add(new Operation(name + " backward", flops, bytes + element() * tokens * in, (tensors, scratch) -> {
            var layer = linear(tensors, in, out);
            var x = tensors.activations("x", 1, tokens, in);
            var dy = tensors.activations("dy", 1, tokens, out);
            var z = tensors.activations("z", 1, tokens, rank);
            var dx = tensors.zeros("dx", backend.activationType(), tokens, in);
            return () -> backend.linear().backward(dy, x, z, layer, dx, Accumulate.REPLACE, scratch);
        }));
    }

    private Linear linear(RandomTensors tensors, int in, int out) {
        return new Linear(new Weight.Dense(tensors.activations("weight", 0.02, out, in)), null, Loras.random(tensors, out, in, rank));
    }

    private void rotate(List<Operation> all) {
        all.add(new Operation("rotate queries", 0, 2 * element() * tokens * model.queryRow(), (tensors, _) -> {
            var q = tensors.activations("q", 1, tokens, model.heads(), model.keyWidth());
            var positions = tensors.ids("positions", POSITIONS, tokens);
            var cos = tensors.zeros("cos", DType.FLOAT32, POSITIONS, model.keyWidth() / 2);
            return () -> backend.rotary().rotate(q, positions, cos, cos, Pairing.HALVES, Direction.FORWARD);
        }));
    }

    private void normRotate(List<Operation> all) {
        double bytes = element() * tokens * (model.queryRow() + model.keyRow());
        all.add(new Operation("norm and rotate", 0, 2 * bytes, (tensors, _) -> {
            var one = new Normed(tensors);
            return () -> backend.rotary().normRotate(one.query, one.rotatedQuery, one.key, one.rotatedKey, 1e-6f, one.angles);
        }));
        all.add(new Operation("norm and rotate backward", 0, 3 * bytes, (tensors, _) -> {
            var one = new Normed(tensors);
            backend.rotary().normRotate(one.query, one.rotatedQuery, one.key, one.rotatedKey, 1e-6f, one.angles);
            return () -> backend.rotary().normRotateBackward(one.query, one.rotatedQuery, one.key, one.rotatedKey, one.angles);
        }));
    }

    private final class Normed {
        private final NormedHeads query;
        private final NormedHeads key;
        private final Tensor rotatedQuery;
        private final Tensor rotatedKey;
        private final Angles angles;

        Normed(RandomTensors tensors) {
            query = heads(tensors, model.heads());
            key = heads(tensors, model.kvHeads());
            rotatedQuery = tensors.activations("rotatedQuery", 1, query.projected().shape());
            rotatedKey = tensors.activations("rotatedKey", 1, key.projected().shape());
            var cos = tensors.zeros("cos", DType.FLOAT32, POSITIONS, model.keyWidth() / 2);
            angles = new Angles(tensors.ids("positions", POSITIONS, tokens), cos, cos, Pairing.HALVES);
        }

        private NormedHeads heads(RandomTensors tensors, int count) {
            return new NormedHeads(tensors.activations("projected", 1, tokens, count, model.keyWidth()),
                    tensors.activations("weight", 1, model.keyWidth()), tensors.zeros("rstd", DType.FLOAT32, (long) tokens * count));
        }
    }

    /// Over all earlier tokens, and over a window where some of the model's layers have one.
    private void attention(List<Operation> all) {
        attention(all, "attention", 0, tokens * (tokens + 1.0) / 2);
        if (model.window() > 0) {
            double seen = Math.min(model.window(), tokens);
            attention(all, "windowed attention", model.window(), seen * tokens - seen * (seen - 1) / 2);
        }
    }

    private void attention(List<Operation> all, String name, int window, double pairs) {
        double flops = 2 * pairs * model.heads();
        double bytes = element() * tokens * (model.queryRow() + model.keyRow() + model.valueRow() + model.outputRow())
                + 4.0 * tokens * model.heads();
        all.add(new Operation(name + " forward", flops * (model.keyWidth() + model.valueWidth()), bytes, (tensors, scratch) -> {
            var one = new Heads(tensors, window);
            return () -> backend.attention().forward(one.q, one.k, one.v, one.segments, one.shape, one.out, one.lse, scratch);
        }));
        all.add(new Operation(name + " backward", flops * (3 * model.keyWidth() + 2 * model.valueWidth()), 2 * bytes, (tensors, scratch) -> {
            var one = new Heads(tensors, window);
            backend.attention().forward(one.q, one.k, one.v, one.segments, one.shape, one.out, one.lse, scratch);
            var dOut = tensors.activations("dOut", 1, tokens, model.heads(), model.valueWidth());
            var dq = tensors.zeros("dq", backend.activationType(), one.q.shape());
            var dk = tensors.zeros("dk", backend.activationType(), one.k.shape());
            var dv = tensors.zeros("dv", backend.activationType(), one.v.shape());
            return () -> backend.attention().backward(dOut, one.q, one.k, one.v, one.out, one.lse, one.segments, one.shape, dq, dk, dv, scratch);
        }));
    }

    private final class Heads {
        private final Tensor q;
        private final Tensor k;
        private final Tensor v;
        private final Tensor out;
        private final Tensor lse;
        private final Segments segments;
        private final Shape shape;

        Heads(RandomTensors tensors, int window) {
            shape = new Shape(model.heads(), model.kvHeads(), model.keyWidth(), model.valueWidth(), (float) (1 / Math.sqrt(model.keyWidth())),
                    window, null);
            q = tensors.activations("q", 1, tokens, model.heads(), model.keyWidth());
            k = tensors.activations("k", 1, tokens, model.kvHeads(), model.keyWidth());
            v = tensors.activations("v", 1, tokens, model.kvHeads(), model.valueWidth());
            out = tensors.zeros("out", backend.activationType(), tokens, model.heads(), model.valueWidth());
            lse = tensors.zeros("lse", DType.FLOAT32, tokens, model.heads());
            segments = new Segments(new int[] {0, tokens}, tensors.ints("starts", 0, tokens));
        }
    }
}
