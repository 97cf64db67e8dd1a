package dev.sluice.model.checkpoint;

import dev.sluice.compute.Tensor;
import dev.sluice.model.safetensors.ElementType;
import java.lang.foreign.MemorySegment;

/// A tensor of a merged checkpoint. Its numbers are made when its shard is written.
record MergedTensor(String name, ElementType type, long[] shape, Filling filling) {
    /// Writes all numbers.
    interface Filling {
        /// @param target exactly the tensor's bytes
        void into(MemorySegment target);
    }

    /// A tensor taken over as it is.
    static MergedTensor copy(String name, ElementType type, long[] shape, MemorySegment data) {
        return new MergedTensor(name, type, shape, target -> target.copyFrom(data));
    }

    long bytes() {
        return Math.multiplyExact(Tensor.elements(name, shape), type.bytes());
    }
}
