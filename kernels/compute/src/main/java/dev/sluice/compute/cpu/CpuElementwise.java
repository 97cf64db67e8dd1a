package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.ElementwiseOps;
import dev.sluice.compute.op.GatedActivation;

/// Operations that touch each element once.
final class CpuElementwise implements ElementwiseOps {
    /// Elements per task: small enough for the first-level cache, large enough to outweigh handing it out.
    private static final int CHUNK = 1 << 14;
    private static final int EMBED_ROWS = 64;

    private final Workers workers;

    CpuElementwise(Workers workers) {
        this.workers = workers;
    }

    @Override
    public void embed(Tensor ids, Tensor table, Tensor out) {
        String operation = "embed";
        ids.require(operation, DType.INT32, -1);
        table.require(operation, table.dtype(), -1, -1);
        int tokens = Math.toIntExact(ids.dim(0));
        int width = Math.toIntExact(table.dim(1));
        out.require(operation, DType.FLOAT32, tokens, width);
        long vocabulary = table.dim(0);
        long from = table.address();
        long to = out.address();
        long id = ids.address();
        var widening = Widening.of(operation, table);
        workers.rows(tokens, EMBED_ROWS, (first, end, _) -> {
            for (int t = first; t < end; t++) {
                int row = Memory.getInt(at(id, t));
                if (row < 0 || row >= vocabulary) {
                    throw new IllegalArgumentException("embed: token " + t + " has id " + row + ", the table has ids 0 to "
                            + (vocabulary - 1));
                }
                widening.widen(from + table.dtype().bytes((long) row * width), width, at(to, (long) t * width));
            }
        });
    }

    @Override
    public void add(Tensor left, Tensor right, Tensor out) {
        left.require("add", DType.FLOAT32, left.shape());
        right.require("add", DType.FLOAT32, left.shape());
        out.require("add", DType.FLOAT32, left.shape());
        long l = left.address();
        long r = right.address();
        long o = out.address();
        chunks(left.elements(), (first, count) -> Rows.add(at(l, first), at(r, first), count, at(o, first)));
    }

    @Override
    public void gated(GatedActivation activation, Tensor gate, Tensor up, Tensor out) {
        String operation = "gated activation";
        gate.require(operation, DType.FLOAT32, -1, -1);
        up.require(operation, DType.FLOAT32, gate.shape());
        out.require(operation, DType.FLOAT32, gate.shape());
        long g = gate.address();
        long u = up.address();
        long o = out.address();
        var kernel = Gating.of(activation);
        chunks(gate.elements(), (first, count) -> kernel.forward(at(g, first), at(u, first), count, at(o, first)));
    }

    @Override
    public void gatedBackward(GatedActivation activation, Tensor dOut, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) {
        String operation = "gated activation backward";
        dOut.require(operation, DType.FLOAT32, -1, -1);
        gate.require(operation, DType.FLOAT32, dOut.shape());
        up.require(operation, DType.FLOAT32, dOut.shape());
        long d = dOut.address();
        long g = gate.address();
        long u = up.address();
        long dg = dGate.require(operation, DType.FLOAT32, dOut.shape()).address();
        long du = dUp.require(operation, DType.FLOAT32, dOut.shape()).address();
        var kernel = Gating.of(activation);
        chunks(dOut.elements(), (first, count) -> kernel.backward(at(d, first), at(g, first), at(u, first), count,
                at(dg, first), at(du, first)));
    }

    @Override
    public void scale(Tensor x, float factor) {
        long start = x.require("scale", DType.FLOAT32, x.shape()).address();
        chunks(x.elements(), (first, count) -> Rows.scale(at(start, first), count, factor));
    }

    @Override
    public void clamp(Tensor x, float limit, Tensor out) {
        long from = x.require("clamp", DType.FLOAT32, x.shape()).address();
        long to = out.require("clamp", DType.FLOAT32, x.shape()).address();
        chunks(x.elements(), (first, count) -> Rows.clamp(at(from, first), count, limit, at(to, first)));
    }

    @Override
    public void clampBackward(Tensor gradient, Tensor x, float limit) {
        long from = x.require("clamp backward", DType.FLOAT32, x.shape()).address();
        long to = gradient.require("clamp backward", DType.FLOAT32, x.shape()).address();
        chunks(x.elements(), (first, count) -> Rows.zeroBeyond(at(from, first), count, limit, at(to, first)));
    }

    @Override
    public void copyColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        var run = ColumnRun.of("copy columns", from, fromColumn, to, toColumn, columns);
        int repeat = run.ratio("copy columns", run.toRows(), run.fromRows());
        workers.rows(run.toRows(), Math.max(1, CHUNK / columns), (first, end, _) -> {
            for (int row = first; row < end; row++) {
                Memory.copy(run.from(row / repeat), run.to(row), 4L * columns);
            }
        });
    }

    @Override
    public void sumColumns(Tensor from, int fromColumn, Tensor to, int toColumn, int columns) {
        var run = ColumnRun.of("sum columns", from, fromColumn, to, toColumn, columns);
        int repeat = run.ratio("sum columns", run.fromRows(), run.toRows());
        workers.rows(run.toRows(), Math.max(1, CHUNK / (columns * repeat)), (first, end, _) -> {
            for (int row = first; row < end; row++) {
                Memory.copy(run.from(row * repeat), run.to(row), 4L * columns);
                for (int i = 1; i < repeat; i++) {
                    Rows.add(run.to(row), run.from(row * repeat + i), columns, run.to(row));
                }
            }
        });
    }

    @Override
    public void zero(Tensor tensor) {
        long start = tensor.address();
        chunks(Math.ceilDiv(tensor.bytes(), 4), (first, count) ->
                Memory.zero(at(start, first), Math.min(4L * count, tensor.bytes() - 4 * first)));
    }

    /// A stretch of elements.
    private interface Stretch {
        void run(long first, int count);
    }

    private void chunks(long elements, Stretch stretch) {
        workers.run(Math.toIntExact(Math.ceilDiv(elements, CHUNK)), (task, _) -> {
            long first = (long) task * CHUNK;
            stretch.run(first, (int) Math.min(CHUNK, elements - first));
        });
    }
}
