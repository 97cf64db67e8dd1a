package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.checkpoint.WeightSource.Wanted;
import java.lang.foreign.MemorySegment;

/// Fills a weight in NF4 matrix by matrix.
record Nf4Loader(Backend backend, Scope process) {
    /// @param groupSize scales that share a factor and an offset, in all of the weight
    Weight load(Wanted wanted, Nf4Matrix.Source source, int groupSize) {
        Weight.Packed weight = allocate(wanted, groupSize, process);
        long at = 0;
        for (Part part : wanted.parts()) {
            int matrices = part.shape().length == 3 ? Math.toIntExact(part.shape()[0]) : 1;
            long elements = Tensor.elements(part.name(), part.shape()) / matrices;
            for (int matrix = 0; matrix < matrices; matrix++) {
                upload(source.read(part, matrix, groupSize), weight, at);
                at += elements;
            }
        }
        return weight;
    }

    /// An empty weight.
    static Weight.Packed allocate(Wanted wanted, int groupSize, Scope process) {
        Tensor codes = process.allocate(wanted.name(), DType.UINT8, last(wanted.shape(), wanted.columns() / 2));
        Tensor scales = process.allocate(wanted.name() + ".scales", DType.UINT8, last(wanted.shape(), Packing.NF4.scales(wanted.columns())));
        Tensor groups = process.allocate(wanted.name() + ".groups", DType.FLOAT32, scales.elements() / groupSize, 2);
        return new Weight.Packed(Packing.NF4, codes, scales, groups);
    }

    private static long[] last(long[] shape, long size) {
        long[] changed = shape.clone();
        changed[shape.length - 1] = size;
        return changed;
    }

    private void upload(Nf4Matrix matrix, Weight.Packed weight, long firstElement) {
        long scale = firstElement / Packing.NF4.block();
        upload(matrix.codes(), weight.codes(), firstElement / 2);
        upload(matrix.scales(), weight.scales(), scale);
        upload(MemorySegment.ofArray(matrix.groups()), weight.groups(), scale / weight.groupSize() * 2);
    }

    private void upload(MemorySegment numbers, Tensor tensor, long first) {
        backend.upload(numbers, tensor.view(tensor.name(), first, numbers.byteSize() / tensor.dtype().bytes()));
    }
}
