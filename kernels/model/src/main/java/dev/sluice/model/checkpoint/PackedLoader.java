package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.checkpoint.WeightSource.Arrangement;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.checkpoint.WeightSource.Wanted;
import dev.sluice.model.safetensors.Checkpoint;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Copies packed weights into a backend as they are: codes byte for byte, and a scale for every block of every row.
record PackedLoader(Checkpoint checkpoint, Backend backend, Scope process) {
    /// Room for a weight in a packing that checkpoints have.
    static Weight.Packed allocate(Scope scope, Wanted wanted, Packing packing) {
        int columns = wanted.columns();
        return new Weight.Packed(packing,
                scope.allocate(wanted.name(), DType.UINT8, lastDimension(wanted.shape(), columns / packing.numbersPerByte())),
                scope.allocate(wanted.name() + ".scales", packing.scaleType(), lastDimension(wanted.shape(), packing.scales(columns))));
    }

    Weight load(Wanted wanted, Packing packing) {
        int columns = wanted.columns();
        Weight.Packed weight = allocate(process, wanted, packing);
        Tensor codes = weight.codes();
        Tensor scales = weight.scales();
        long row = 0;
        for (Part part : wanted.parts()) {
            long rows = Tensor.elements(part.name(), part.shape()) / columns;
            switch (packing) {
                case FP8 -> fp8(part, rows(codes, row, rows), rows(scales, row, rows));
                case MXFP4 -> mxfp4(part, rows(codes, row, rows), rows(scales, row, rows));
                case NF4 -> throw new IllegalArgumentException(part.name() + " comes matrix by matrix in NF4");
            }
            row += rows;
        }
        return weight;
    }

    private static long[] lastDimension(long[] shape, long size) {
        long[] changed = shape.clone();
        changed[shape.length - 1] = size;
        return changed;
    }

    private static Tensor rows(Tensor tensor, long first, long count) {
        return tensor.view(tensor.name(), first * tensor.dim(-1), count, tensor.dim(-1));
    }

    private void fp8(Part part, Tensor codes, Tensor scales) {
        backend.upload(checkpoint.find(part.name()).data(), codes);
        BlockScales blocks = BlockScales.read(checkpoint, part);
        try (var arena = Arena.ofConfined()) {
            MemorySegment rows = arena.allocate(scales.bytes(), Long.BYTES);
            for (long i = 0; i < scales.elements(); i++) {
                rows.setAtIndex(ValueLayout.JAVA_FLOAT, i, blocks.of(i / scales.dim(-1), (int) (i % scales.dim(-1))));
            }
            backend.upload(rows, scales);
        }
    }

    private void mxfp4(Part part, Tensor codes, Tensor scales) {
        MemorySegment storedCodes = checkpoint.find(PackedRows.blocksName(part.name())).data();
        MemorySegment storedScales = checkpoint.find(PackedRows.scalesName(part.name())).data();
        if (part.arrangement() == Arrangement.TRANSPOSED_ALTERNATING) {
            long rowsOfOne = part.shape()[part.shape().length - 2];
            uploadAlternating(storedCodes, codes, rowsOfOne);
            uploadAlternating(storedScales, scales, rowsOfOne);
        } else {
            backend.upload(storedCodes, codes);
            backend.upload(storedScales, scales);
        }
    }

    /// One matrix of bytes after the other, each with its even rows first.
    private void uploadAlternating(MemorySegment stored, Tensor tensor, long rowsOfOne) {
        long width = tensor.dim(-1);
        try (var arena = Arena.ofConfined()) {
            MemorySegment matrix = arena.allocate(rowsOfOne * width, Long.BYTES);
            for (long first = 0; first < tensor.dim(0); first += rowsOfOne) {
                for (long row = 0; row < rowsOfOne; row++) {
                    MemorySegment.copy(stored, StoredRows.alternating(first + row, rowsOfOne) * width, matrix, row * width, width);
                }
                backend.upload(matrix, rows(tensor, first, rowsOfOne));
            }
        }
    }
}
