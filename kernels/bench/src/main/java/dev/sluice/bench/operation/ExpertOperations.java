package dev.sluice.bench.operation;

import dev.sluice.bench.floor.ModelShape;
import dev.sluice.compute.Accumulate;
import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.ExpertOps.Experts;
import dev.sluice.compute.op.ExpertOps.Tape;
import dev.sluice.compute.op.RouterOps.Kind;
import dev.sluice.compute.op.RouterOps.Router;
import dev.sluice.compute.op.Routing;
import dev.sluice.compute.probe.Loras;
import dev.sluice.compute.probe.RandomTensors;
import java.util.List;
import java.util.stream.Stream;

/// Routing and the experts of a layer, routed by a random router: close to uniform.
record ExpertOperations(Backend backend, ModelShape model, int tokens, int rank) {
    List<Operation> all() {
        double rows = (double) tokens * model.topK();
        double hidden = model.hidden();
        double width = model.width();
        double element = backend.activationType().bytes();
        double routerFlops = 2.0 * tokens * model.experts() * hidden;
        double routerBytes = element * (tokens * hidden + model.experts() * hidden) + 4.0 * tokens * model.experts();
        double flops = 2 * rows * 3 * width * hidden;
        double bytes = element * (3 * model.experts() * width * hidden + 2 * tokens * hidden + rows * (4 * width + 2 * hidden));
        var plain = List.of(
                new Operation("route", routerFlops, routerBytes + rows * 16, (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch);
                    return () -> backend.router().route(layer.x, layer.router, layer.logits, layer.routing, scratch);
                }),
                new Operation("router logits", routerFlops, routerBytes, (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch);
                    return () -> backend.router().logits(layer.x, layer.router, layer.logits, scratch);
                }),
                new Operation("router backward", routerFlops, routerBytes + rows * 8, (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch);
                    return () -> backend.router().backward(layer.dWeights, layer.logits, layer.routing, layer.router, layer.dx,
                            Accumulate.REPLACE, scratch);
                }),
                new Operation("experts forward", flops, bytes, (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch).withExperts();
                    return () -> backend.experts().forward(layer.x, layer.routing, layer.experts, layer.tape, layer.dx, Accumulate.REPLACE, scratch);
                }),
                new Operation("experts backward", flops, bytes + element * rows * 4 * width, (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch).withExperts();
                    return layer.backward(scratch);
                }),
                new Operation("router logits float32", routerFlops, routerBytes, (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch);
                    var router = new Router(tensors.floats("exact router", 0.02f, model.experts(), model.hidden()), Kind.SIGMOID_TOPK,
                            model.topK(), true);
                    return () -> backend.router().logits(layer.x, router, layer.logits, scratch);
                }));
        return Stream.concat(plain.stream(), packings().map(packing -> new Operation("experts forward " + packing, flops,
                bytes - 3 * model.experts() * width * hidden * (element - 1.0 / packing.numbersPerByte()), (tensors, scratch) -> {
                    var layer = new Layer(tensors, scratch).withExperts(packing);
                    return () -> backend.experts().forward(layer.x, layer.routing, layer.experts, layer.tape, layer.dx, Accumulate.REPLACE, scratch);
                }))).toList();
    }

    /// Packings that this backend multiplies with and whose blocks suit this model, of those that checkpoints are released in.
    private Stream<Packing> packings() {
        return Stream.of(Packing.FP8, Packing.MXFP4).filter(packing -> backend.packings().contains(packing)
                && (packing == Packing.FP8 || model.hidden() % packing.block() == 0 && model.width() % packing.block() == 0));
    }

    /// The tensors of one layer, already routed.
    private final class Layer {
        private final RandomTensors tensors;
        private final Tensor x;
        private final Tensor dOut;
        private final Tensor dx;
        private final Tensor dWeights;
        private final Tensor logits;
        private final Router router;
        private final Routing routing;
        private Experts experts;
        private Tape tape;

        Layer(RandomTensors tensors, Scope scratch) {
            this.tensors = tensors;
            x = tensors.activations("x", 1, tokens, model.hidden());
            dOut = tensors.activations("dOut", 1, tokens, model.hidden());
            dx = tensors.zeros("dx", backend.activationType(), tokens, model.hidden());
            dWeights = tensors.zeros("dWeights", DType.FLOAT32, tokens, model.topK());
            logits = tensors.zeros("logits", DType.FLOAT32, tokens, model.experts());
            router = new Router(tensors.activations("router", 0.02, model.experts(), model.hidden()), Kind.SOFTMAX_TOPK, model.topK(), true);
            routing = Routing.allocate(tensors.scope(), tokens, model.experts(), model.topK());
            backend.router().route(x, router, logits, routing, scratch);
        }

        /// The backward pass destroys the tape.
        Operation.Call backward(Scope scratch) {
            return new Operation.Call() {
                @Override
                public void run() {
                    backend.experts().backward(dOut, x, routing, experts, tape, dx, Accumulate.REPLACE, dWeights, scratch);
                }

                @Override
                public Runnable restore() {
                    return () -> backend.experts().forward(x, routing, experts, tape, dx, Accumulate.REPLACE, scratch);
                }
            };
        }

        Layer withExperts() {
            long count = model.experts();
            return withExperts(new Weight.Dense(tensors.activations("gateUp", 0.02, count, 2L * model.width(), model.hidden())),
                    new Weight.Dense(tensors.activations("down", 0.02, count, model.hidden(), model.width())));
        }

        Layer withExperts(Packing packing) {
            return withExperts(packed("gateUp", packing, 2L * model.width(), model.hidden()),
                    packed("down", packing, model.hidden(), model.width()));
        }

        /// Numbers of about 0.02: no code stands for NaN, and all of a packing's scales are one number.
        private Weight packed(String name, Packing packing, long out, long in) {
            long count = model.experts();
            String scales = name + " scales";
            return switch (packing) {
                case FP8 -> new Weight.Packed(packing, tensors.bytes(name, 0, 127, count, out, in),
                        tensors.floats(scales, 2e-4f, count, out, packing.scales(in)));
                case MXFP4 -> new Weight.Packed(packing, tensors.bytes(name, 0, 256, count, out, in / 2),
                        tensors.bytes(scales, 120, 121, count, out, packing.scales(in)));
                case NF4 -> throw new IllegalArgumentException("no checkpoint is released in " + packing);
            };
        }

        private Layer withExperts(Weight gateUp, Weight down) {
            long count = model.experts();
            experts = new Experts(gateUp, down, Loras.random(tensors, 2 * model.width(), model.hidden(), rank, count),
                    Loras.random(tensors, model.hidden(), model.width(), rank, count));
            long rows = (long) tokens * model.topK();
            tape = new Tape(tensors.activations("tape", 1, rows, 2L * model.width()),
                    tensors.activations("gateUpZ", 1, rows, rank), tensors.activations("downZ", 1, rows, rank));
            return this;
        }
    }
}
