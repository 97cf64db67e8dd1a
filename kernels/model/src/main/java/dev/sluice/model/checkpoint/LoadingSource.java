package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.ElementType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.LongStream;

/// Copies checked tensors from the map into a backend, in its type. Equal types go straight from the map; others are
/// converted row by row on all cores, a block of rows at a time.
final class LoadingSource implements WeightSource {
    private static final long STAGING_BYTES = 16L << 20;

    private final Checkpoint checkpoint;
    private final Backend backend;
    private final Scope process;
    private final DType dtype;
    private final Arena arena;
    private MemorySegment staging = MemorySegment.NULL;

    /// @param arena owns the staging buffer
    LoadingSource(Checkpoint checkpoint, Backend backend, Scope process, Arena arena) {
        this.checkpoint = checkpoint;
        this.backend = backend;
        this.process = process;
        this.dtype = backend.activationType();
        this.arena = arena;
    }

    @Override
    public boolean has(String name) {
        return checkpoint.find(name) != null;
    }

    @Override
    public Tensor load(String name, long[] shape, List<Part> parts) {
        Tensor tensor = process.allocate(name, dtype, shape);
        long at = 0;
        for (Part part : parts) {
            Stored stored = checkpoint.find(part.name());
            long elements = stored.entry().elements();
            if (stored.entry().type() == Floats.stored(dtype)) {
                backend.upload(stored.data(), tensor.view(part.name(), at, elements));
            } else {
                convert(stored, part, tensor, at);
            }
            at += elements;
        }
        return tensor;
    }

    private void convert(Stored stored, Part part, Tensor tensor, long at) {
        int columns = Math.toIntExact(part.shape()[part.shape().length - 1]);
        long rows = stored.entry().elements() / columns;
        BlockScales scales = scales(stored, part);
        long rowBytes = dtype.bytes(columns);
        long block = Math.clamp(STAGING_BYTES / rowBytes, 1, rows);
        if (staging.byteSize() < block * rowBytes) {
            staging = arena.allocate(block * rowBytes, Long.BYTES);
        }
        for (long first = 0; first < rows; first += block) {
            long begin = first;
            long count = Math.min(block, rows - first);
            LongStream.range(0, count).parallel().forEach(row -> convertRow(stored, scales, begin + row, columns, row));
            backend.upload(staging.asSlice(0, count * rowBytes),
                    tensor.view(part.name(), at + begin * columns, count, columns));
        }
    }

    private void convertRow(Stored stored, BlockScales scales, long row, int columns, long stagingRow) {
        float[] values = new float[columns];
        Floats.decode(stored.entry().type(), stored.data(), row * columns, values);
        if (scales != null) {
            scales.apply(row, values);
        }
        Floats.encode(dtype, values, staging, stagingRow * columns);
    }

    private BlockScales scales(Stored stored, Part part) {
        if (stored.entry().type() != ElementType.F8_E4M3) {
            return null;
        }
        Stored scales = checkpoint.find(BlockScales.name(part.name()));
        float[] values = new float[Math.toIntExact(scales.entry().elements())];
        Floats.decode(scales.entry().type(), scales.data(), 0, values);
        int rank = part.shape().length;
        return new BlockScales(values, rank > 1 ? part.shape()[rank - 2] : 1, part.shape()[rank - 1]);
    }
}
