package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LinearOps;

/// Frozen products with split LoRA, tile by tile.
final class CpuLinear implements LinearOps {
    /// Columns of a LoRA gradient per task; each task sums over all rows by itself, so the order of the sum is fixed.
    private static final int GRADIENT_COLUMNS = 64;

    private final Workers workers;
    private final Gemm gemm;

    CpuLinear(Workers workers, Gemm gemm) {
        this.workers = workers;
        this.gemm = gemm;
    }

    @Override
    public void forward(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        forward("linear forward", x, layer, z, false, y, scratch);
    }

    @Override
    public void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        forward("linear recompute", x, layer, z, true, y, scratch);
    }

    private void forward(String operation, Tensor x, Linear layer, Tensor z, boolean known, Tensor y, Scope scratch) {
        LinearWeight weight = LinearWeight.of(operation, layer.weight());
        Adapter lora = Adapter.of(operation, layer.lora());
        x.require(operation, DType.FLOAT32, -1, weight.in());
        int rows = Math.toIntExact(x.dim(0));
        y.require(operation, DType.FLOAT32, rows, weight.out());
        long bias = layer.bias() == null ? 0 : layer.bias().require(operation, DType.FLOAT32, weight.out()).address();
        long zAddress = requireZ(operation, z, rows, lora);
        if (lora != null && !known) {
            narrow(x.address(), rows, lora, zAddress);
        }
        wide(x.address(), rows, weight, bias, lora, zAddress, y.address(), scratch);
    }

    private static long requireZ(String operation, Tensor z, int rows, Adapter lora) {
        if (lora == null) {
            return 0;
        }
        if (z == null) {
            throw new IllegalArgumentException(operation + ": a layer with LoRA needs z FLOAT32 [" + rows + ", " + lora.rank() + "]");
        }
        return z.require(operation, DType.FLOAT32, rows, lora.rank()).address();
    }

    void forward(long x, int rows, LinearWeight weight, long bias, Adapter lora, long z, long y, Scope scratch) {
        if (lora != null) {
            narrow(x, rows, lora, z);
        }
        wide(x, rows, weight, bias, lora, z, y, scratch);
    }

    /// `z = scale * x A^T`.
    private void narrow(long x, int rows, Adapter lora, long z) {
        int in = lora.in();
        Tiles.of(rows, lora.rank()).run(workers, (row, height, column, width) ->
                gemm.nt(height, width, in, lora.scale(), at(x, (long) row * in), in,
                        at(lora.a(), (long) column * in), in, false, at(z, (long) row * lora.rank() + column), lora.rank()));
    }

    /// `y = x W^T + z B^T + bias`.
    private void wide(long x, int rows, LinearWeight weight, long bias, Adapter lora, long z, long y, Scope scratch) {
        int in = weight.in();
        int out = weight.out();
        weight.products(workers, scratch, (matrix, first) -> Tiles.of(rows, matrix.out()).run(workers, (row, height, local, width) -> {
            int column = first + local;
            long tile = at(y, (long) row * out + column);
            for (int i = 0; bias != 0 && i < height; i++) {
                Memory.copy(at(bias, column), at(tile, (long) i * out), 4L * width);
            }
            gemm.nt(height, width, in, 1f, at(x, (long) row * in), in, matrix.at(0, local, 0), in, bias != 0, tile, out);
            if (lora != null) {
                int rank = lora.rank();
                gemm.nt(height, width, rank, 1f, at(z, (long) row * rank), rank, at(lora.b(), (long) column * rank), rank,
                        true, tile, out);
            }
        }));
    }

    @Override
    public void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch) {
        String operation = "linear backward";
        LinearWeight weight = LinearWeight.of(operation, layer.weight());
        Adapter lora = Adapter.of(operation, layer.lora());
        dy.require(operation, DType.FLOAT32, -1, weight.out());
        int rows = Math.toIntExact(dy.dim(0));
        long dxAddress = dx == null ? 0 : dx.require(operation, DType.FLOAT32, rows, weight.in()).address();
        if (lora == null) {
            inputGradient(dy.address(), rows, weight, null, 0, dxAddress, mode == Accumulate.ADD, scratch);
            return;
        }
        x.require(operation, DType.FLOAT32, rows, weight.in());
        backward(dy.address(), x.address(), requireZ(operation, z, rows, lora), rows, weight, lora, dxAddress,
                mode == Accumulate.ADD, scratch);
    }

    /// @param dx 0 if it is not wanted
    void backward(long dy, long x, long z, int rows, LinearWeight weight, Adapter lora, long dx, boolean add, Scope scratch) {
        if (lora == null) {
            inputGradient(dy, rows, weight, null, 0, dx, add, scratch);
            return;
        }
        try (var own = scratch.child("linear.backward")) {
            long dz = own.allocate("dz", DType.FLOAT32, rows, lora.rank()).address();
            Tiles.of(rows, lora.rank()).run(workers, (row, height, column, width) ->
                    gemm.nn(height, width, lora.out(), lora.scale(), at(dy, (long) row * lora.out()), lora.out(),
                            at(lora.b(), column), lora.rank(), false, at(dz, (long) row * lora.rank() + column), lora.rank()));
            inputGradient(dy, rows, weight, lora, dz, dx, add, own);
            adapterGradients(dy, x, z, dz, rows, lora);
        }
    }

    private void inputGradient(long dy, int rows, LinearWeight weight, Adapter lora, long dz, long dx, boolean add, Scope scratch) {
        if (dx == 0) {
            return;
        }
        int in = weight.in();
        int out = weight.out();
        weight.products(workers, scratch, (matrix, first) -> Tiles.of(rows, in).run(workers, (row, height, column, width) -> {
            long tile = at(dx, (long) row * in + column);
            gemm.nn(height, width, matrix.out(), 1f, at(dy, (long) row * out + first), out, matrix.at(0, 0, column), in,
                    add || first > 0, tile, in);
            if (lora != null && first == 0) {
                int rank = lora.rank();
                gemm.nn(height, width, rank, 1f, at(dz, (long) row * rank), rank, at(lora.a(), column), in, true, tile, in);
            }
        }));
    }

    private void adapterGradients(long dy, long x, long z, long dz, int rows, Adapter lora) {
        int rank = lora.rank();
        int tasksOfB = Math.ceilDiv(lora.out(), GRADIENT_COLUMNS);
        int tasksOfA = Math.ceilDiv(lora.in(), GRADIENT_COLUMNS);
        workers.run(tasksOfB + tasksOfA, (task, _) -> {
            if (task < tasksOfB) {
                int first = task * GRADIENT_COLUMNS;
                gemm.tn(Math.min(GRADIENT_COLUMNS, lora.out() - first), rank, rows, 1f, at(dy, first), lora.out(), z, rank,
                        true, at(lora.gradB(), (long) first * rank), rank);
            } else {
                int first = (task - tasksOfB) * GRADIENT_COLUMNS;
                gemm.tn(rank, Math.min(GRADIENT_COLUMNS, lora.in() - first), rows, 1f, dz, rank, at(x, first), lora.in(),
                        true, at(lora.gradA(), first), lora.in());
            }
        });
    }
}
