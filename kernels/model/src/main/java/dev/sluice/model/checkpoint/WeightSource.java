package dev.sluice.model.checkpoint;

import dev.sluice.compute.Tensor;
import java.util.List;

/// Where a [WeightTree] gets its tensors: one source checks, one counts, one loads.
interface WeightSource {
    /// Whether the checkpoint has a tensor of that name.
    boolean has(String name);

    /// @param parts stored tensors that fill `shape` one behind the other
    /// @return the tensor, or null from a source that only looks
    Tensor load(String name, long[] shape, List<Part> parts);

    /// A tensor as the checkpoint should hold it.
    record Part(String name, long[] shape) {}
}
