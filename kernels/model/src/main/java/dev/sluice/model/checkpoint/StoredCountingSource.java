package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.safetensors.Checkpoint;

/// Adds up what a backend will hold of a checkpoint.
final class StoredCountingSource extends StoredSource {
    private final Keeping keeping;
    private long bytes;
    private long largestPacked;

    private StoredCountingSource(Checkpoint checkpoint, Keeping keeping) {
        super(checkpoint);
        this.keeping = keeping;
    }

    static WeightBytes count(Checkpoint checkpoint, DecoderConfig config, TensorNames names, Backend backend, Keeping keeping) {
        var counting = new StoredCountingSource(checkpoint, keeping);
        WeightTree.build(config, names, counting);
        return new WeightBytes(counting.bytes, backend.unpackedBytes(counting.largestPacked));
    }

    @Override
    public Tensor load(Wanted wanted) {
        bytes = Math.addExact(bytes, keeping.bytes(wanted, null, 0));
        return null;
    }

    @Override
    public Weight weight(Wanted wanted) {
        Packing packing = keeping.packing(wanted, packing(wanted));
        bytes = Math.addExact(bytes, keeping.bytes(wanted, packing, packing == Packing.NF4 ? groupSize(wanted) : 0));
        largestPacked = packing == null ? largestPacked : Math.max(largestPacked, Tensor.elements(wanted.name(), wanted.shape()));
        return new Weight.Dense(null);
    }
}
