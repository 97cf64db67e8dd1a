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
    public void gated(GatedActivation activation, Tensor gate, Tensor up, Tensor out) {
        String operation = "gated activation";
        gate.require(operation, DType.BFLOAT16, -1, -1);
        up.require(operation, DType.BFLOAT16, gate.shape());
        out.require(operation, DType.BFLOAT16, gate.shape());
        flat("gated", gate.elements()).int32(activation.ordinal()).pointer(gate).pointer(up).pointer(out).int64(gate.elements()).run();
    }

    @Override
    public void gatedBackward(GatedActivation activation, Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
        String operation = "gated activation backward";
        gate.require(operation, DType.BFLOAT16, -1, -1);
        for (var tensor : new Tensor[] {dOut, up, dGate, dUp}) {
            tensor.require(operation, DType.BFLOAT16, gate.shape());
        }
        flat("gated_backward", gate.elements()).int32(activation.ordinal()).pointer(dOut).pointer(gate).pointer(up).pointer(dGate)
                .pointer(dUp).int64(gate.elements()).run();
    }

    @Override
    public void scale(Tensor x, float factor) {
        x.require("scale", DType.BFLOAT16, x.shape());
        flat("scale", x.elements()).pointer(x).float32(factor).int64(x.elements()).run();
    }

    @Override
    public void clamp(Tensor x, float limit, Tensor out) {
        x.require("clamp", DType.BFLOAT16, x.shape());
        out.require("clamp", DType.BFLOAT16, x.shape());
        flat("clamp", x.elements()).pointer(x).float32(limit).pointer(out).int64(x.elements()).run();
    }

    @Override
    public void clampBackward(Tensor gradient, Tensor x, float limit) {
        x.require("clamp backward", DType.BFLOAT16, x.shape());
        gradient.require("clamp backward", DType.BFLOAT16, x.shape());
        flat("clamp_backward", x.elements()).pointer(gradient).pointer(x).float32(limit).int64(x.elements()).run();
    }

    @Override
    public void copyColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        var run = ColumnRun.of("copy columns", from, fromColumn, to, toColumn, columns);
        run.launch(device, "copy_columns", run.ratio(run.toRows(), run.fromRows()));
    }

    @Override
    public void sumColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        var run = ColumnRun.of("sum columns", from, fromColumn, to, toColumn, columns);
        run.launch(device, "sum_columns", run.ratio(run.fromRows(), run.toRows()));
    }

    @Override
    public void zero(Tensor tensor) {
        device.fill(tensor.address(), (byte) 0, tensor.bytes());
    }

    private Launch flat(String kernel, long elements) {
        return device.launch(kernel).grid(Math.ceilDiv(elements, 8 * FLAT_THREADS)).block(FLAT_THREADS);
    }
}
