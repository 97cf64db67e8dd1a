package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.GatedActivation;

/// Twin of `elementwise.cu`.
final class CudaElementwise implements ElementwiseOps {
    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int ROW_THREADS = TileSizes.of("ROW_THREADS");

    private final Device device;

    CudaElementwise(Device device) {
        this.device = device;
    }

    @Override
    public void embed(Tensor ids, Tensor table, Tensor out) {
        String operation = "embed";
        long tokens = ids.elements();
        ids.require(operation, DType.INT32, tokens);
        table.require(operation, table.dtype(), -1, -1);
        out.require(operation, DType.BFLOAT16, tokens, table.dim(1));
        device.launch("embed").grid(tokens).block(ROW_THREADS)
                .pointer(ids).pointerAndFormat(table).int32(table.dim(0)).int32(table.dim(1)).pointer(out).fault().run();
    }

    @Override
    public void add(Tensor left, Tensor right, Tensor out) {
        left.require("add", DType.BFLOAT16, left.shape());
        right.require("add", DType.BFLOAT16, left.shape());
        out.require("add", DType.BFLOAT16, left.shape());
        flat("add", left.elements()).pointer(left).pointer(right).pointer(out).int64(left.elements()).run();
    }

    @Override
    public void swiglu(Tensor gate, Tensor up, Tensor out) {
        gate.require("swiglu", DType.BFLOAT16, -1, -1);
        up.require("swiglu", DType.BFLOAT16, gate.shape());
        out.require("swiglu", DType.BFLOAT16, gate.shape());
        flat("swiglu", gate.elements()).pointer(gate).pointer(up).pointer(out).int64(gate.elements()).run();
    }

    @Override
    public void swigluBackward(Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
        gate.require("swiglu backward", DType.BFLOAT16, -1, -1);
        for (var tensor : new Tensor[] {dOut, up, dGate, dUp}) {
            tensor.require("swiglu backward", DType.BFLOAT16, gate.shape());
        }
        flat("swiglu_backward", gate.elements()).pointer(dOut).pointer(gate).pointer(up).pointer(dGate).pointer(dUp)
                .int64(gate.elements()).run();
    }

    @Override
    public void gated(GatedActivation activation, Tensor gate, Tensor up, Tensor out) {
        requireSwiglu(activation);
        swiglu(gate, up, out);
    }

    @Override
    public void gatedBackward(GatedActivation activation, Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
        requireSwiglu(activation);
        swigluBackward(dOut, gate, up, dGate, dUp);
    }

    private static void requireSwiglu(GatedActivation activation) {
        if (activation != GatedActivation.SWIGLU) {
            throw Checks.missing("gated activation " + activation);
        }
    }

    @Override
    public void scale(Tensor x, float factor) {
        throw Checks.missing("scaling a tensor");
    }

    @Override
    public void clamp(Tensor x, float limit, Tensor out) {
        throw Checks.missing("clamping a tensor");
    }

    @Override
    public void clampBackward(Tensor gradient, Tensor x, float limit) {
        throw Checks.missing("clamping a tensor");
    }

    @Override
    public void copyColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        throw Checks.missing("copying columns, which latent attention needs,");
    }

    @Override
    public void sumColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        throw Checks.missing("summing columns, which latent attention needs,");
    }

    @Override
    public void zero(Tensor tensor) {
        device.fill(tensor.address(), (byte) 0, tensor.bytes());
    }

    private Launch flat(String kernel, long elements) {
        return device.launch(kernel).grid(Math.ceilDiv(elements, 8 * FLAT_THREADS)).block(FLAT_THREADS);
    }
}
