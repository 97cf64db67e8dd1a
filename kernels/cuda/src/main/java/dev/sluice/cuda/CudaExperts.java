package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.Routing;

/// Grouped experts: the products of `gemm.cu` over rows sorted by expert, and what `experts.cu` does between them.
final class CudaExperts implements ExpertOps {
    private static final int ROW_THREADS = TileSizes.of("ROW_THREADS");
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");

    private final Device device;

    CudaExperts(Device device) {
        this.device = device;
    }

    /// The checked sizes of a call.
    private record Sizes(Tensor gateUp, Tensor down, long rows, long hidden, long width) {}

    @Override
    public void forward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor out, Accumulate mode, Scope scratch) {
        String operation = "experts forward";
        var sizes = check(operation, x, routing, experts, tape);
        out.require(operation, DType.BFLOAT16, x.shape());
        try (var own = scratch.child("experts.forward")) {
            var tiles = RowTiles.build(device, routing.offsets(), sizes.rows, own);
            var act = own.allocate("act", DType.BFLOAT16, sizes.rows, sizes.width);
            var y = own.allocate("y", DType.BFLOAT16, sizes.rows, sizes.hidden);
            gateUp(x, routing, experts, tape, false, sizes, tiles);
            device.launch("expert_activation").grid(Math.ceilDiv(sizes.rows * sizes.width / 8, FLAT_THREADS)).block(FLAT_THREADS)
                    .pointer(tape.gateUp()).pointer(act).int64(sizes.rows).int32(sizes.width).run();
            var second = Gemm.of(device, Gemm.Form.FORWARD, sizes.down).a(act, sizes.width).into(y, Accumulate.REPLACE);
            if (experts.downLora() != null) {
                Gemm.of(device, Gemm.Form.FORWARD, experts.downLora().a()).a(act, sizes.width).alpha(experts.downLora().scale())
                        .into(tape.downZ(), Accumulate.REPLACE).run(tiles);
                second.update(tape.downZ(), experts.downLora().b(), experts.downRank());
            }
            second.run(tiles);
            combine(y, routing, routing.weights(), out, mode);
        }
    }

    @Override
    public void recompute(Tensor x, Routing routing, Experts experts, Tape tape, Scope scratch) {
        var sizes = check("experts recompute", x, routing, experts, tape);
        try (var own = scratch.child("experts.recompute")) {
            gateUp(x, routing, experts, tape, true, sizes, RowTiles.build(device, routing.offsets(), sizes.rows, own));
        }
    }

    /// @param known whether the tape's gateUpZ is an earlier pass's
    private void gateUp(Tensor x, Routing routing, Experts experts, Tape tape, boolean known, Sizes sizes, RowTiles tiles) {
        var product = Gemm.of(device, Gemm.Form.FORWARD, sizes.gateUp).a(x, sizes.hidden).gather(routing.rowToken(), 0)
                .into(tape.gateUp(), Accumulate.REPLACE);
        var lora = experts.gateUpLora();
        if (lora != null) {
            if (!known) {
                Gemm.of(device, Gemm.Form.FORWARD, lora.a()).a(x, sizes.hidden).gather(routing.rowToken(), 0).alpha(lora.scale())
                        .into(tape.gateUpZ(), Accumulate.REPLACE).run(tiles);
            }
            product.update(tape.gateUpZ(), lora.b(), experts.gateUpRank());
        }
        product.run(tiles);
    }

    @Override
    public void backward(Tensor dOut, Tensor x, Routing routing, Experts experts, Tape tape, Tensor dx, Accumulate mode, Tensor dWeights,
            Scope scratch) {
        String operation = "experts backward";
        var sizes = check(operation, x, routing, experts, tape);
        dOut.require(operation, DType.BFLOAT16, x.shape());
        dx.require(operation, DType.BFLOAT16, x.shape());
        dWeights.require(operation, DType.FLOAT32, routing.tokens(), routing.topK());
        try (var own = scratch.child("experts.backward")) {
            var tiles = RowTiles.build(device, routing.offsets(), sizes.rows, own);
            downBackward(dOut, routing, experts, tape, dWeights, sizes, tiles, own);
            gateUpBackward(x, routing, experts, tape, dx, mode, sizes, tiles, own);
        }
    }

    /// Through the down projection and the activation: afterwards the tape's gateUp holds its own gradient.
    private void downBackward(Tensor dOut, Routing routing, Experts experts, Tape tape, Tensor dWeights, Sizes sizes, RowTiles tiles,
            Scope scratch) {
        try (var own = scratch.child("experts.backward.down")) {
            var lora = experts.downLora();
            var inner = own.allocate("dInner", DType.BFLOAT16, sizes.rows, sizes.width);
            var dz = lora == null ? null : own.allocate("dz", DType.BFLOAT16, sizes.rows, experts.downRank());
            var product = Gemm.of(device, Gemm.Form.GRADIENT, sizes.down).a(dOut, sizes.hidden).gather(routing.rowToken(), 0)
                    .into(inner, Accumulate.REPLACE);
            if (lora != null) {
                Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(dOut, sizes.hidden).gather(routing.rowToken(), 0).alpha(lora.scale())
                        .into(dz, Accumulate.REPLACE).run(tiles);
                product.update(dz, lora.a(), experts.downRank());
            }
            product.run(tiles);
            device.launch("expert_activation_backward").grid(Math.ceilDiv(sizes.rows, ROW_THREADS / 32)).block(ROW_THREADS)
                    .pointer(routing.rowOfPick()).pointer(routing.weights()).pointer(tape.gateUp()).pointer(inner)
                    .pointer(tape.downZ()).pointer(dz).pointer(dWeights).int64(sizes.rows).int32(sizes.width).int32(experts.downRank())
                    .run();
            if (lora != null) {
                // inner now holds the activation, and z and dz carry the routing weight.
                gradients(own, routing).of(inner, sizes.width).addToA(dz, lora.gradA());
                gradients(own, routing).of(dOut, sizes.hidden).gather(routing.rowToken(), 0).addToB(tape.downZ(), lora.gradB());
            }
        }
    }

    private void gateUpBackward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor dx, Accumulate mode, Sizes sizes,
            RowTiles tiles, Scope scratch) {
        try (var own = scratch.child("experts.backward.gateUp")) {
            var lora = experts.gateUpLora();
            var dRows = own.allocate("dRows", DType.BFLOAT16, sizes.rows, sizes.hidden);
            var product = Gemm.of(device, Gemm.Form.GRADIENT, sizes.gateUp).a(tape.gateUp(), 2 * sizes.width)
                    .into(dRows, Accumulate.REPLACE);
            if (lora != null) {
                var dz = own.allocate("dz", DType.BFLOAT16, sizes.rows, experts.gateUpRank());
                Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(tape.gateUp(), 2 * sizes.width).alpha(lora.scale())
                        .into(dz, Accumulate.REPLACE).run(tiles);
                addGradients(lora, own, routing, tape, x, dz, sizes);
                product.update(dz, lora.a(), experts.gateUpRank());
            }
            product.run(tiles);
            combine(dRows, routing, null, dx, mode);
        }
    }

    private void addGradients(Lora lora, Scope own, Routing routing, Tape tape, Tensor x, Tensor dz, Sizes sizes) {
        gradients(own, routing).of(tape.gateUp(), 2 * sizes.width).addToB(tape.gateUpZ(), lora.gradB());
        gradients(own, routing).of(x, sizes.hidden).gather(routing.rowToken(), 0).addToA(dz, lora.gradA());
    }

    private LoraGradient gradients(Scope own, Routing routing) {
        return new LoraGradient(device, own).rows(routing.rows()).grouped(routing.offsets());
    }

    private void combine(Tensor rows, Routing routing, Tensor weights, Tensor out, Accumulate mode) {
        device.launch("expert_combine").grid(routing.tokens()).block(ROW_THREADS)
                .pointer(rows).pointer(routing.rowOfPick()).pointer(weights).pointer(out).int32(routing.topK()).int32(out.dim(-1))
                .flag(mode == Accumulate.ADD).run();
    }

    private static Sizes check(String operation, Tensor x, Routing routing, Experts experts, Tape tape) {
        if (!experts.plain()) {
            throw Checks.missing("an expert stack with biases or activation " + experts.activation());
        }
        long count = routing.offsets().elements() - 1;
        long hidden = experts.gateUp().in();
        long width = experts.down().in();
        Checks.multipleOf(operation, "hidden size", hidden, 8);
        Checks.multipleOf(operation, "expert width", width, 8);
        var sizes = new Sizes(Checks.dense(operation, experts.gateUp()).require(operation, DType.BFLOAT16, count, 2 * width, hidden),
                Checks.dense(operation, experts.down()).require(operation, DType.BFLOAT16, count, hidden, width), routing.rows(), hidden,
                width);
        x.require(operation, DType.BFLOAT16, routing.tokens(), hidden);
        tape.gateUp().require(operation, DType.BFLOAT16, sizes.rows, 2 * width);
        Checks.z(operation, tape.gateUpZ(), sizes.rows, experts.gateUpRank());
        Checks.z(operation, tape.downZ(), sizes.rows, experts.downRank());
        return sizes;
    }
}
