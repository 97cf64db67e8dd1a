package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.compute.op.Routing;
import java.util.List;
import java.util.stream.IntStream;

/// Neighbouring experts whose matrices are unpacked and multiplied together. Plain stacks are one part; packed ones as many as keep
/// the unpacked numbers within bounds, whatever the number of experts.
///
/// @param experts that there are in all
record ExpertPart(int first, int count, int experts) {
    /// Most bytes of unpacked matrices at once, unless a single one is larger.
    static final long UNPACKED_BYTES = 256L << 20;

    /// All experts in order, in parts that differ by one expert at most.
    static List<ExpertPart> of(Weight stack, int experts, long mostBytes) {
        int parts = switch (stack) {
            case Weight.Dense _ -> 1;
            case Weight.Packed packed -> {
                long matrix = DType.BFLOAT16.bytes(packed.out() * packed.in());
                yield Math.ceilDiv(experts, (int) Math.clamp(mostBytes / matrix, 1, experts));
            }
        };
        return IntStream.range(0, parts).mapToObj(i -> {
            int first = (int) ((long) experts * i / parts);
            return new ExpertPart(first, (int) ((long) experts * (i + 1) / parts) - first, experts);
        }).toList();
    }

    boolean whole() {
        return count == experts;
    }

    /// These experts' share of a tensor, null for null.
    Tensor of(Tensor stack) {
        if (stack == null || whole()) {
            return stack;
        }
        long[] shape = stack.shape();
        shape[0] = shape[0] / experts * count;
        return stack.view(stack.name(), stack.elements() / experts * first, shape);
    }

    Weight of(Weight stack) {
        return whole() ? stack : switch (stack) {
            case Weight.Dense(var values) -> new Weight.Dense(of(values));
            case Weight.Packed(var packing, var codes, var scales, var groups) ->
                    new Weight.Packed(packing, of(codes), of(scales), of(groups));
        };
    }

    /// Offsets of these experts and the end of the last one, in all rows.
    Tensor offsets(Routing routing) {
        return whole() ? routing.offsets() : routing.offsets().view("offsets", first, count + 1);
    }

    /// @param all row tiles of all experts
    RowTiles tiles(Device device, Routing routing, RowTiles all, Scope scratch) {
        return whole() ? all : RowTiles.ofPart(device, offsets(routing), routing.rows(), scratch);
    }
}
