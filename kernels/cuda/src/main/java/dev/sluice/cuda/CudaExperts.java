package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Lora;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.ExpertOps;
import dev.sluice.compute.op.Routing;
import java.util.List;
import java.util.function.UnaryOperator;

/// Grouped experts: the products of `gemm.cu` over rows sorted by expert, and what `experts.cu` does between them. Packed experts are
/// multiplied in parts, so that no whole layer is ever unpacked.
final class CudaExperts implements ExpertOps {
    private static final int ROW_THREADS = TileSizes.of("ROW_THREADS");
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");

    private final Device device;
    private final FrozenMatrix frozen;
    private final long unpackedBytes;

    CudaExperts(Device device) {
        this(device, ExpertPart.UNPACKED_BYTES);
    }

    /// @param unpackedBytes most bytes of unpacked matrices at once
    CudaExperts(Device device, long unpackedBytes) {
        this.device = device;
        this.unpackedBytes = unpackedBytes;
        this.frozen = new FrozenMatrix(device);
    }

    /// The checked sizes of a call.
    private record Sizes(long rows, long hidden, long width) {}

    @Override
    public void forward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor out, Accumulate mode, Scope scratch) {
        String operation = "experts forward";
        var sizes = check(operation, x, routing, experts, tape);
        out.require(operation, DType.BFLOAT16, x.shape());
        try (var own = scratch.child("experts.forward")) {
            var tiles = RowTiles.build(device, routing.offsets(), sizes.rows, own);
            var act = own.allocate("act", DType.BFLOAT16, sizes.rows, sizes.width);
            var y = own.allocate("y", DType.BFLOAT16, sizes.rows, sizes.hidden);
            gateUp(x, routing, experts, tape, false, sizes, tiles, own);
            long pieces = sizes.rows * sizes.width / (sizes.width % 8 == 0 ? 8 : 1);
            device.launch("expert_activation").grid(Math.ceilDiv(pieces, FLAT_THREADS)).block(FLAT_THREADS)
                    .int32(experts.activation().ordinal()).pointer(tape.gateUp()).pointer(act).int64(sizes.rows).int32(sizes.width).run();
            down(act, routing, experts, tape, y, sizes, tiles, own);
            combine(y, routing, routing.weights(), out, mode);
        }
    }

    @Override
    public void recompute(Tensor x, Routing routing, Experts experts, Tape tape, Scope scratch) {
        var sizes = check("experts recompute", x, routing, experts, tape);
        try (var own = scratch.child("experts.recompute")) {
            var tiles = RowTiles.build(device, routing.offsets(), sizes.rows, own);
            gateUp(x, routing, experts, tape, true, sizes, tiles, own);
        }
    }

    /// @param known whether the tape's gateUpZ is an earlier pass's
    private void gateUp(Tensor x, Routing routing, Experts experts, Tape tape, boolean known, Sizes sizes, RowTiles tiles, Scope scratch) {
        var lora = experts.gateUpLora();
        if (lora != null && !known) {
            Gemm.of(device, Gemm.Form.FORWARD, lora.a()).a(x, sizes.hidden).gather(routing.rowToken(), 0).alpha(lora.scale())
                    .into(tape.gateUpZ(), Accumulate.REPLACE).run(tiles);
        }
        for (var part : parts(experts.gateUp(), routing)) {
            try (var own = scratch.child("experts.gateUp")) {
                var product = Gemm.of(device, Gemm.Form.FORWARD, unpacked(experts.gateUp(), part, routing, own)).a(x, sizes.hidden)
                        .gather(routing.rowToken(), 0).bias(part.of(experts.gateUpBias())).into(tape.gateUp(), Accumulate.REPLACE);
                (lora == null ? product : product.update(tape.gateUpZ(), part.of(lora.b()), experts.gateUpRank()))
                        .run(part.tiles(device, routing, tiles, own));
            }
        }
    }

    private void down(Tensor act, Routing routing, Experts experts, Tape tape, Tensor y, Sizes sizes, RowTiles tiles, Scope scratch) {
        var lora = experts.downLora();
        if (lora != null) {
            Gemm.of(device, Gemm.Form.FORWARD, lora.a()).a(act, sizes.width).alpha(lora.scale())
                    .into(tape.downZ(), Accumulate.REPLACE).run(tiles);
        }
        for (var part : parts(experts.down(), routing)) {
            try (var own = scratch.child("experts.down")) {
                var product = Gemm.of(device, Gemm.Form.FORWARD, unpacked(experts.down(), part, routing, own))
                        .a(act, sizes.width).bias(part.of(experts.downBias())).into(y, Accumulate.REPLACE);
                (lora == null ? product : product.update(tape.downZ(), part.of(lora.b()), experts.downRank()))
                        .run(part.tiles(device, routing, tiles, own));
            }
        }
    }

    private List<ExpertPart> parts(Weight stack, Routing routing) {
        return ExpertPart.of(stack, Math.toIntExact(routing.offsets().elements() - 1), unpackedBytes);
    }

    private Tensor unpacked(Weight stack, ExpertPart part, Routing routing, Scope scratch) {
        return frozen.of("experts", part.of(stack), part.offsets(routing), scratch);
    }

    /// Multiplies gradients with a stack of frozen matrices and their LoRA partners.
    ///
    /// @param product adds what it multiplies and where that goes
    private void inputGradient(Weight stack, Lora lora, Tensor dz, int rank, Routing routing, RowTiles tiles, Scope scratch,
            UnaryOperator<Gemm> product) {
        for (var part : parts(stack, routing)) {
            try (var own = scratch.child("experts.backward.product")) {
                var gemm = product.apply(Gemm.of(device, Gemm.Form.GRADIENT, unpacked(stack, part, routing, own)));
                (lora == null ? gemm : gemm.update(dz, part.of(lora.a()), rank)).run(part.tiles(device, routing, tiles, own));
            }
        }
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
            if (lora != null) {
                Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(dOut, sizes.hidden).gather(routing.rowToken(), 0).alpha(lora.scale())
                        .into(dz, Accumulate.REPLACE).run(tiles);
            }
            inputGradient(experts.down(), lora, dz, experts.downRank(), routing, tiles, own,
                    product -> product.a(dOut, sizes.hidden).gather(routing.rowToken(), 0).into(inner, Accumulate.REPLACE));
            device.launch("expert_activation_backward").grid(Math.ceilDiv(sizes.rows, ROW_THREADS / 32)).block(ROW_THREADS)
                    .int32(experts.activation().ordinal()).pointer(routing.rowOfPick()).pointer(routing.weights()).pointer(tape.gateUp())
                    .pointer(inner).pointer(tape.downZ()).pointer(dz).pointer(dWeights).int64(sizes.rows).int32(sizes.width)
                    .int32(experts.downRank()).beginStruct().pointer(experts.downBias()).pointer(dOut).pointer(routing.picks())
                    .int32(experts.downBias() == null ? 0 : Launch.code(experts.downBias().dtype())).int32(sizes.hidden)
                    .int32(routing.topK()).endStruct().run();
            if (lora != null) {
                // inner now holds the activation, and z and dz carry the routing weight.
                new LoraGradients(device, own).add(
                        gradient(routing, dOut, sizes.hidden).gather(routing.rowToken(), 0).intoB(tape.downZ(), lora.gradB()),
                        gradient(routing, inner, sizes.width).intoA(dz, lora.gradA()));
            }
        }
    }

    private void gateUpBackward(Tensor x, Routing routing, Experts experts, Tape tape, Tensor dx, Accumulate mode, Sizes sizes,
            RowTiles tiles, Scope scratch) {
        try (var own = scratch.child("experts.backward.gateUp")) {
            var lora = experts.gateUpLora();
            var dRows = own.allocate("dRows", DType.BFLOAT16, sizes.rows, sizes.hidden);
            Tensor dz = null;
            if (lora != null) {
                dz = own.allocate("dz", DType.BFLOAT16, sizes.rows, experts.gateUpRank());
                Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(tape.gateUp(), 2 * sizes.width).alpha(lora.scale())
                        .into(dz, Accumulate.REPLACE).run(tiles);
                new LoraGradients(device, own).add(
                        gradient(routing, tape.gateUp(), 2 * sizes.width).intoB(tape.gateUpZ(), lora.gradB()),
                        gradient(routing, x, sizes.hidden).gather(routing.rowToken(), 0).intoA(dz, lora.gradA()));
            }
            inputGradient(experts.gateUp(), lora, dz, experts.gateUpRank(), routing, tiles, own,
                    product -> product.a(tape.gateUp(), 2 * sizes.width).into(dRows, Accumulate.REPLACE));
            combine(dRows, routing, null, dx, mode);
        }
    }

    private static LoraGradient gradient(Routing routing, Tensor wide, long stride) {
        return LoraGradient.of(wide, stride).rows(routing.rows()).grouped(routing.offsets());
    }

    private void combine(Tensor rows, Routing routing, Tensor weights, Tensor out, Accumulate mode) {
        device.launch("expert_combine").grid(routing.tokens()).block(ROW_THREADS)
                .pointer(rows).pointer(routing.rowOfPick()).pointer(weights).pointer(out).int32(routing.topK()).int32(out.dim(-1))
                .flag(mode == Accumulate.ADD).run();
    }

    private static Sizes check(String operation, Tensor x, Routing routing, Experts experts, Tape tape) {
        long count = routing.offsets().elements() - 1;
        long hidden = experts.gateUp().in();
        long width = experts.down().in();
        Checks.stackBias(operation, experts.gateUpBias(), count, 2 * width);
        Checks.stackBias(operation, experts.downBias(), count, hidden);
        Checks.stack(operation, experts.gateUp(), count, 2 * width, hidden);
        Checks.stack(operation, experts.down(), count, hidden, width);
        var sizes = new Sizes(routing.rows(), hidden, width);
        x.require(operation, DType.BFLOAT16, routing.tokens(), hidden);
        tape.gateUp().require(operation, DType.BFLOAT16, sizes.rows, 2 * width);
        Checks.z(operation, tape.gateUpZ(), sizes.rows, experts.gateUpRank());
        Checks.z(operation, tape.downZ(), sizes.rows, experts.downRank());
        return sizes;
    }
}
