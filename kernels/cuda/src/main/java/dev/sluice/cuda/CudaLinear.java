package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LinearOps;

/// Dense layers: the products of `gemm.cu` over one matrix.
final class CudaLinear implements LinearOps {
    private final Device device;
    private final FrozenMatrix frozen;

    CudaLinear(Device device) {
        this.device = device;
        this.frozen = new FrozenMatrix(device);
    }

    @Override
    public void forward(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        forward("linear forward", x, layer, z, false, y, scratch);
    }

    @Override
    public void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        forward("linear recompute", x, layer, z, true, y, scratch);
    }

    /// @param known whether z is an earlier pass's
    private void forward(String operation, Tensor x, Linear layer, Tensor z, boolean known, Tensor y, Scope scratch) {
        long rows = check(operation, x, layer, z, y);
        long in = layer.weight().in();
        try (var own = scratch.child("linear.forward")) {
            var product = Gemm.of(device, Gemm.Form.FORWARD, frozen.of(operation, layer.weight(), own)).a(x, in).bias(layer.bias())
                    .into(y, Accumulate.REPLACE);
            if (layer.lora() != null) {
                if (!known) {
                    Gemm.of(device, Gemm.Form.FORWARD, layer.lora().a()).a(x, in).alpha(layer.lora().scale()).into(z, Accumulate.REPLACE)
                            .run(rows);
                }
                product.update(z, layer.lora().b(), layer.rank());
            }
            product.run(rows);
        }
    }

    @Override
    public void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch) {
        String operation = "linear backward";
        long rows = check(operation, x, layer, z, dy);
        long out = layer.weight().out();
        if (dx != null) {
            dx.require(operation, DType.BFLOAT16, rows, layer.weight().in());
        }
        var lora = layer.lora();
        try (var own = scratch.child("linear.backward")) {
            var dz = lora == null ? null : own.allocate("dz", DType.BFLOAT16, rows, layer.rank());
            if (lora != null) {
                Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(dy, out).alpha(lora.scale()).into(dz, Accumulate.REPLACE).run(rows);
                new LoraGradient(device, own).of(dy, out).rows(rows).addToB(z, lora.gradB());
                new LoraGradient(device, own).of(x, layer.weight().in()).rows(rows).addToA(dz, lora.gradA());
            }
            if (dx != null) {
                var product = Gemm.of(device, Gemm.Form.GRADIENT, frozen.of(operation, layer.weight(), own)).a(dy, out).into(dx, mode);
                if (lora != null) {
                    product.update(dz, lora.a(), layer.rank());
                }
                product.run(rows);
            }
        }
    }

    private static long check(String operation, Tensor x, Linear layer, Tensor z, Tensor y) {
        x.require(operation, DType.BFLOAT16, -1, layer.weight().in());
        y.require(operation, DType.BFLOAT16, x.dim(0), layer.weight().out());
        if (layer.bias() != null) {
            Checks.vector(operation, layer.bias(), layer.weight().out());
        }
        Checks.z(operation, z, x.dim(0), layer.rank());
        return x.dim(0);
    }
}
