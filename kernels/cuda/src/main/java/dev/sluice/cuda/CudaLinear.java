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

    CudaLinear(Device device) {
        this.device = device;
    }

    @Override
    public void forward(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        forward("linear forward", x, layer, z, false, y);
    }

    @Override
    public void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        forward("linear recompute", x, layer, z, true, y);
    }

    /// @param known whether z is an earlier pass's
    private void forward(String operation, Tensor x, Linear layer, Tensor z, boolean known, Tensor y) {
        long rows = check(operation, x, layer, z, y);
        long in = layer.weight().in();
        var product = Gemm.of(device, Gemm.Form.FORWARD, Checks.dense(operation, layer.weight())).a(x, in).bias(layer.bias())
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

    @Override
    public void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch) {
        String operation = "linear backward";
        long rows = check(operation, x, layer, z, dy);
        long out = layer.weight().out();
        if (dx != null) {
            dx.require(operation, DType.BFLOAT16, rows, layer.weight().in());
        }
        var weight = Checks.dense(operation, layer.weight());
        var lora = layer.lora();
        if (lora == null) {
            if (dx != null) {
                Gemm.of(device, Gemm.Form.GRADIENT, weight).a(dy, out).into(dx, mode).run(rows);
            }
            return;
        }
        try (var own = scratch.child("linear.backward")) {
            var dz = own.allocate("dz", DType.BFLOAT16, rows, layer.rank());
            Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(dy, out).alpha(lora.scale()).into(dz, Accumulate.REPLACE).run(rows);
            new LoraGradient(device, own).of(dy, out).rows(rows).addToB(z, lora.gradB());
            new LoraGradient(device, own).of(x, layer.weight().in()).rows(rows).addToA(dz, lora.gradA());
            if (dx != null) {
                Gemm.of(device, Gemm.Form.GRADIENT, weight).a(dy, out).update(dz, lora.a(), layer.rank()).into(dx, mode).run(rows);
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
