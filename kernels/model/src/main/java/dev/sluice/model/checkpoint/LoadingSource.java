package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.stream.LongStream;

/// Copies checked tensors from the map into a backend, in its type, or packed where they are to be kept so. Equal
/// types go straight from the map; others are converted row by row on all cores, a block of rows at a time.
final class LoadingSource extends StoredSource {
    private static final long STAGING_BYTES = 16L << 20;

    private final Backend backend;
    private final Keeping keeping;
    private final Scope process;
    private final DType dtype;
    private final Arena arena;
    private MemorySegment staging = MemorySegment.NULL;

    /// @param arena owns the staging buffer
    LoadingSource(Checkpoint checkpoint, Backend backend, Keeping keeping, Scope process, Arena arena) {
        super(checkpoint);
        this.backend = backend;
        this.keeping = keeping;
        this.process = process;
        this.dtype = keeping.type();
        this.arena = arena;
    }

    @Override
    public Weight weight(Wanted wanted) {
        Packing stored = packing(wanted);
        Packing packing = keeping.packing(wanted, stored);
        if (packing == null) {
            return super.weight(wanted);
        }
        if (packing == Packing.NF4) {
            return new Nf4Loader(backend, process).load(wanted,
                    stored == Packing.NF4 ? StoredNf4.matrices(checkpoint()) : Nf4Packer.of(checkpoint()), groupSize(wanted));
        }
        return new PackedLoader(checkpoint(), backend, process).load(wanted, packing);
    }

    @Override
    public Tensor load(Wanted wanted) {
        Tensor tensor = process.allocate(wanted.name(), wanted.type(dtype), wanted.shape());
        long at = 0;
        for (Part part : wanted.parts()) {
            long elements = Tensor.elements(part.name(), part.shape());
            Stored stored = checkpoint().find(part.name());
            boolean asStored = stored != null && stored.entry().type() == Floats.stored(tensor.dtype())
                    && part.arrangement() == Arrangement.PLAIN && wanted.unchanged();
            if (asStored) {
                backend.upload(stored.data(), tensor.view(part.name(), at, elements));
            } else {
                convert(part, wanted, tensor, at);
            }
            at += elements;
        }
        return tensor;
    }

    private void convert(Part part, Wanted wanted, Tensor tensor, long at) {
        int columns = wanted.columns();
        long rows = Tensor.elements(part.name(), part.shape()) / columns;
        StoredRows stored = StoredRows.of(checkpoint(), part);
        long rowBytes = tensor.dtype().bytes(columns);
        long block = Math.clamp(STAGING_BYTES / rowBytes, 1, rows);
        if (staging.byteSize() < block * rowBytes) {
            staging = arena.allocate(block * rowBytes, Long.BYTES);
        }
        for (long first = 0; first < rows; first += block) {
            long begin = first;
            long count = Math.min(block, rows - first);
            LongStream.range(0, count).parallel().forEach(row -> {
                float[] values = new float[columns];
                stored.read(begin + row, values);
                wanted.apply(values);
                Floats.encode(tensor.dtype(), values, staging, row * columns);
            });
            backend.upload(staging.asSlice(0, count * rowBytes),
                    tensor.view(part.name(), at + begin * columns, count, columns));
        }
    }
}
