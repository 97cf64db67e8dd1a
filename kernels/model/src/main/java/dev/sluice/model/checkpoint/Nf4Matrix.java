package dev.sluice.model.checkpoint;

import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.checkpoint.WeightSource.Wanted;
import java.lang.foreign.MemorySegment;

/// One matrix in NF4, in host memory.
///
/// @param codes [rows, columns / 2] bytes
/// @param scales [rows, columns / 64] bytes
/// @param groups a factor and an offset for every group of scales
record Nf4Matrix(MemorySegment codes, MemorySegment scales, float[] groups) {
    /// Where the matrices of a weight come from.
    interface Source {
        /// @param matrix counts the matrices of a part
        Nf4Matrix read(Part part, int matrix, int groupSize);
    }

    /// The largest groups that no matrix of a weight shares with another.
    static int groupSize(Wanted wanted) {
        return wanted.parts().stream().mapToInt(part -> {
            long[] shape = part.shape();
            long scales = shape[shape.length - 2] * (wanted.columns() / Packing.NF4.block());
            return (int) Math.min(Nf4.GROUP, Long.lowestOneBit(scales));
        }).min().orElseThrow();
    }
}
