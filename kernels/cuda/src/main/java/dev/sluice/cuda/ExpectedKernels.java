package dev.sluice.cuda;

import dev.sluice.compute.Workload;
import dev.sluice.compute.op.AttentionOps.Shape;
import java.util.ArrayList;
import java.util.List;

/// Kernels that a training step must launch, so that a fallback that nobody noticed is one no longer. Only what certainly suits a
/// shape is asked for.
final class ExpectedKernels {
    private static final int SLAB = 64;
    /// Products of fewer columns may go to kernels for narrow ones.
    private static final int WIDE = 256;
    private static final int FEW_TOKENS = 256;

    private ExpectedKernels() {}

    static List<String> of(Device device, Workload workload) {
        var names = new ArrayList<String>();
        names.add(device.hopper() && wide(workload) ? "hopper_" : "");
        if (workload.attention() instanceof Workload.Attention attention) {
            var shape = new Shape(attention.heads(), attention.kvHeads(), attention.headDim(), attention.valueDim(), 1, attention.window(), null);
            names.addAll(HopperAttention.suits(device, shape) ? List.of("flash_forward", "flash_backward") : List.of());
        }
        names.add(device.hopper() ? "" : "gemm_");
        names.removeIf(String::isEmpty);
        return List.copyOf(names);
    }

    /// Whether a product that every model has suits wgmma: a projection of the attention blocks, or the experts'.
    private static boolean wide(Workload workload) {
        var attention = workload.attention();
        var experts = workload.experts();
        boolean projection = attention != null && suits(workload.hidden(), attention.heads() * attention.headDim());
        boolean stack = experts != null && !experts.bias() && suits(workload.hidden(), experts.width());
        return workload.tokens() >= FEW_TOKENS && workload.rank() % 8 == 0 && workload.rank() <= SLAB && (projection || stack);
    }

    private static boolean suits(int in, int out) {
        return in % SLAB == 0 && out % SLAB == 0 && in >= WIDE && out >= WIDE;
    }
}
