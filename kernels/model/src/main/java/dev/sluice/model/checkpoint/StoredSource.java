package dev.sluice.model.checkpoint;

import dev.sluice.compute.Packing;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.ElementType;
import java.util.Arrays;

/// A source that looks into a checkpoint's files.
abstract class StoredSource implements WeightSource {
    private final Checkpoint checkpoint;

    StoredSource(Checkpoint checkpoint) {
        this.checkpoint = checkpoint;
    }

    final Checkpoint checkpoint() {
        return checkpoint;
    }

    @Override
    public final boolean has(String name) {
        return checkpoint.find(name) != null || checkpoint.find(PackedRows.blocksName(name)) != null;
    }

    @Override
    public final boolean has(String name, long... shape) {
        Stored stored = checkpoint.find(name);
        return stored != null && Arrays.equals(stored.entry().shape(), shape);
    }

    /// The packing that all parts of a weight are stored in, or null.
    final Packing packing(Wanted wanted) {
        return wanted.parts().stream().allMatch(this::isFp8) ? Packing.FP8
                : wanted.parts().stream().allMatch(this::isMxfp4) ? Packing.MXFP4
                : wanted.columns() % Packing.NF4.block() == 0 && wanted.parts().stream().allMatch(this::isNf4) ? Packing.NF4 : null;
    }

    /// Scales that share a factor and an offset where the weight is kept in NF4.
    final int groupSize(Wanted wanted) {
        int whole = Nf4Matrix.groupSize(wanted);
        return wanted.parts().stream().filter(this::isNf4).mapToInt(part -> StoredNf4.groupSize(checkpoint, part)).reduce(whole, Math::min);
    }

    private boolean isNf4(Part part) {
        return StoredNf4.is(checkpoint, part.name());
    }

    private boolean isFp8(Part part) {
        Stored stored = checkpoint.find(part.name());
        return stored != null && stored.entry().type() == ElementType.F8_E4M3 && part.arrangement() == Arrangement.PLAIN;
    }

    private boolean isMxfp4(Part part) {
        return checkpoint.find(part.name()) == null && checkpoint.find(PackedRows.blocksName(part.name())) != null;
    }
}
