package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// Split parameters with their gradients and moments. Bytes a parameter: 4 for its bits; 4 for the gradient and 8 for the moments, or 2 and
/// 2.03 in a lean arena.
///
/// @param padded parameters in whole blocks: what kernels work on
/// @param gradients FLOAT32, or BFLOAT16 in a lean arena, [size]
/// @param partials UINT8, float64 sums of the norm
/// @param control FLOAT32 [2], clip factor and whether the norm is finite
record SplitArena(SplitParameters parameters, long padded, Tensor gradients, Moments moments, Tensor partials, Tensor control)
        implements ParameterArena {
    static SplitArena allocate(Device device, Memory memory, Scope run, long size, OptimizerState state, int partials) {
        var blocks = new WholeBlocks(device, run, size);
        DType gradients = switch (state) {
            case EXACT -> DType.FLOAT32;
            case LEAN -> DType.BFLOAT16;
        };
        return new SplitArena(
                new SplitParameters(device, memory, blocks.zeros("parameters", DType.BFLOAT16), blocks.zeros("parameters.low", DType.UINT8, 2)),
                blocks.padded(), blocks.zeros("gradients", gradients), Moments.allocate(blocks, state),
                run.allocate("norm.partials", DType.UINT8, partials, 8), run.allocate("norm.control", DType.FLOAT32, 2));
    }

    @Override
    public long size() {
        return parameters.size();
    }

    @Override
    public Tensor values() {
        return parameters.values();
    }

    @Override
    public void write(MemorySegment float32) {
        parameters.write(float32);
    }

    @Override
    public void read(MemorySegment float32) {
        parameters.read(float32);
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        state.put(parameters.values().name(), parameters.values());
        state.put(parameters.low().name(), parameters.low());
        moments.tensors().forEach(tensor -> state.put(tensor.name(), tensor));
        return state;
    }
}
