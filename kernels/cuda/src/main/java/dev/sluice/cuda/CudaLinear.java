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
import java.util.stream.Stream;

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
        branches.forEach(branch -> check(operation, x, branch));
        try (var own = scratch.child("linear.forward")) {
            if (!known) {
                Gemm.runNarrow(branches.stream().filter(branch -> branch.layer().lora() != null).map(branch -> z(x, branch)).toList(), x.dim(0));
            }
            Gemm.runAll(branches.stream().map(branch -> output(operation, x, branch, own)).toList(), x.dim(0));
        }
    }

    private Gemm z(Tensor x, Branch branch) {
        var lora = branch.layer().lora();
        return Gemm.of(device, Gemm.Form.FORWARD, lora.a()).a(x, x.dim(1)).alpha(lora.scale()).into(branch.z(), Accumulate.REPLACE);
    }

    private Gemm output(String operation, Tensor x, Branch branch, Scope own) {
        var layer = branch.layer();
        var product = Gemm.of(device, Gemm.Form.FORWARD, frozen.of(operation, layer.weight(), own)).a(x, x.dim(1)).bias(layer.bias())
                .into(branch.y(), Accumulate.REPLACE);
        return layer.lora() == null ? product : product.update(branch.z(), layer.lora().b(), layer.rank());
    }

    @Override
    public void backward(Tensor dy, Tensor x, Tensor z, Linear layer, Tensor dx, Accumulate mode, Scope scratch) {
        backward(x, List.of(new Branch(layer, z, dy)), dx, mode, scratch);
    }

    @Override
    public void backward(Tensor x, List<Branch> branches, Tensor dx, Accumulate mode, Scope scratch) {
        branches.forEach(branch -> check("linear backward", x, branch));
        try (var own = scratch.child("linear.backward")) {
            var projections = branches.stream().map(branch -> dz(branch, own)).toList();
            Gemm.runNarrow(projections.stream().flatMap(Optional::stream).toList(), x.dim(0));
            var dz = projections.stream().map(projection -> projection.map(Gemm::c)).toList();
            new LoraGradients(device, own).add(IntStream.range(0, dz.size()).boxed()
                    .flatMap(i -> dz.get(i).stream().flatMap(adapter -> gradients(x, branches.get(i), adapter))).toList());
            if (dx != null) {
                dx.require("linear backward", DType.BFLOAT16, x.shape());
                Gemm.runSum(IntStream.range(0, dz.size()).mapToObj(i -> inputGradient(branches.get(i), dz.get(i).orElse(null), own)).toList(),
                        dx, mode, x.dim(0));
            }
        }
    }

    /// The product that writes the dz of a branch's adapter, if it has one.
    private Optional<Gemm> dz(Branch branch, Scope own) {
        var layer = branch.layer();
        return Optional.ofNullable(layer.lora()).map(lora -> Gemm.of(device, Gemm.Form.GRADIENT, lora.b()).a(branch.y(), layer.weight().out())
                .alpha(lora.scale()).into(own.allocate("dz", DType.BFLOAT16, branch.y().dim(0), layer.rank()), Accumulate.REPLACE));
    }

    private static Stream<LoraGradient> gradients(Tensor x, Branch branch, Tensor dz) {
        var layer = branch.layer();
        return Stream.of(LoraGradient.of(branch.y(), layer.weight().out()).rows(x.dim(0)).intoB(branch.z(), layer.lora().gradB()),
                LoraGradient.of(x, layer.weight().in()).rows(x.dim(0)).intoA(dz, layer.lora().gradA()));
    }

    private Gemm inputGradient(Branch branch, Tensor dz, Scope own) {
        var layer = branch.layer();
        var product = Gemm.of(device, Gemm.Form.GRADIENT, frozen.of("linear backward", layer.weight(), own)).a(branch.y(), layer.weight().out());
        return dz == null ? product : product.update(dz, layer.lora().a(), layer.rank());
    }

    private static void check(String operation, Tensor x, Branch branch) {
        var layer = branch.layer();
        x.require(operation, DType.BFLOAT16, -1, layer.weight().in());
        branch.y().require(operation, DType.BFLOAT16, x.dim(0), layer.weight().out());
        if (layer.bias() != null) {
            Checks.vector(operation, layer.bias(), layer.weight().out());
        }
        Checks.z(operation, branch.z(), x.dim(0), layer.rank());
    }
}
