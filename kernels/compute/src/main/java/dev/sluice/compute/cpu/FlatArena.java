package dev.sluice.compute.cpu;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.OptimizerState;
import dev.sluice.compute.op.ParameterArena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// Parameters and gradients, each one block of float32, and Adam's moments. The exact parameters are the compute copy.
record FlatArena(Tensor values, Tensor gradients, Moments moments) implements ParameterArena {
    static FlatArena allocate(Scope run, long size, OptimizerState state) {
        var arena = new FlatArena(
                run.allocate("parameters", DType.FLOAT32, size),
                run.allocate("gradients", DType.FLOAT32, size),
                Moments.allocate(run, size, state));
        arena.gradients.segment().fill((byte) 0);
        return arena;
    }

    @Override
    public long size() {
        return values.elements();
    }

    @Override
    public void write(MemorySegment float32) {
        requireSize("write", float32);
        values.segment().copyFrom(float32);
    }

    @Override
    public void read(MemorySegment float32) {
        requireSize("read", float32);
        float32.copyFrom(values.segment());
    }

    private void requireSize(String operation, MemorySegment float32) {
        if (float32.byteSize() != values.bytes()) {
            throw new IllegalArgumentException("parameter arena " + operation + ": " + size() + " parameters need "
                    + values.bytes() + " bytes, got " + float32.byteSize());
        }
    }

    @Override
    public SequencedMap<String, Tensor> state() {
        var state = new LinkedHashMap<String, Tensor>();
        state.put(values.name(), values);
        moments.tensors().forEach(tensor -> state.put(tensor.name(), tensor));
        return state;
    }
}
