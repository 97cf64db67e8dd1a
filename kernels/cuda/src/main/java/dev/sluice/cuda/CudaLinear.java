package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Linear;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.LinearOps;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

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
        forward(x, List.of(new Branch(layer, z, y)), scratch);
    }

    @Override
    public void recompute(Tensor x, Linear layer, Tensor z, Tensor y, Scope scratch) {
        recompute(x, List.of(new Branch(layer, z, y)), scratch);
    }

    @Override
    public void forward(Tensor x, List<Branch> branches, Scope scratch) {
        forward("linear forward", x, branches, false, scratch);
    }

    @Override
    public void recompute(Tensor x, List<Branch> branches, Scope scratch) {
        forward("linear recompute", x, branches, true, scratch);
    }

    /// @param known whether z is an earlier pass's
    private void forward(String operation, Tensor x, List<Branch> branches, boolean known, Scope scratch) {
        try (var own = scratch.child("linear.forward")) {
            Gemm.runAll(branches.stream().map(branch -> forward(operation, x, branch, known, own)).toList(), x.dim(0));
        }
    }

    /// Writes z; what is left to be run is the product.
    private Gemm forward(String operation, Tensor x, Branch branch, boolean known, Scope own) {
        var layer = branch.layer();
        long rows = check(operation, x, branch);
        long in = layer.weight().in();
        var product = Gemm.of(device, Gemm.Form.FORWARD, frozen.of(operation, layer.weight(), own)).a(x, in).bias(layer.bias())
                .into(branch.y(), Accumulate.REPLACE);
        if (layer.lora() != null) {
            if (!known) {
                Gemm.of(device, Gemm.Form.FORWARD, layer.lora().a()).a(x, in).alpha(layer.lora().scale())
                        .into(branch.z(), Accumulate.REPLACE).run(rows);
            }
            product.update(branch.z(), layer.lora().b(), layer.rank());
        }
        return product;
    }

    @Override
    public void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch) {
        backward(x, List.of(new Branch(layer, z, dy)), dx, mode, scratch);
    }

    @Override
    public void backward(Tensor x, List<Branch> branches, Tensor dx, Accumulate mode, Scope scratch) {
        try (var own = scratch.child("linear.backward")) {
            var dz = branches.stream().map(branch -> adapter(x, branch, own)).toList();
            if (dx != null) {
                dx.require("linear backward", DType.BFLOAT16, x.shape());
                Gemm.runSum(IntStream.range(0, dz.size()).mapToObj(i -> inputGradient(branches.get(i), dz.get(i).orElse(null), own)).toList(),
                        dx, mode, x.dim(0));
            }
        }
    }

    /// Adds to the gradients of a branch's adapter and returns its dz, if it has one.
    private Optional<Tensor> adapter(Tensor x, Branch branch, Scope own) {
        var layer = branch.layer();
        var lora = layer.lora();
        long rows = check("linear backward", x, branch);
        long out = layer.weight().out();
        if (lora == null) {
            return Optional.empty();
        }
        var dz = own.allocate("dz", DType.BFLOAT16, rows, layer.rank());
        Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(branch.y(), out).alpha(lora.scale()).into(dz, Accumulate.REPLACE).run(rows);
        new LoraGradient(device, own).of(branch.y(), out).rows(rows).addToB(branch.z(), lora.gradB());
        new LoraGradient(device, own).of(x, layer.weight().in()).rows(rows).addToA(dz, lora.gradA());
        return Optional.of(dz);
    }

    private Gemm inputGradient(Branch branch, Tensor dz, Scope own) {
        var layer = branch.layer();
        var product = Gemm.of(device, Gemm.Form.GRADIENT, frozen.of("linear backward", layer.weight(), own)).a(branch.y(), layer.weight().out());
        return dz == null ? product : product.update(dz, layer.lora().a(), layer.rank());
    }

    private static long check(String operation, Tensor x, Branch branch) {
        var layer = branch.layer();
        x.require(operation, DType.BFLOAT16, -1, layer.weight().in());
        branch.y().require(operation, DType.BFLOAT16, x.dim(0), layer.weight().out());
        if (layer.bias() != null) {
            Checks.vector(operation, layer.bias(), layer.weight().out());
        }
        Checks.z(operation, branch.z(), x.dim(0), layer.rank());
        return x.dim(0);
    }
}
