package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.safetensors.Checkpoint;
import java.util.Set;

/// Adds up what a backend will hold of a checkpoint: packed weights as they are, where it multiplies with them.
final class StoredCountingSource extends StoredSource {
    private final DType dtype;
    private final Set<Packing> packings;
    private long bytes;
    private long largestPacked;

    private StoredCountingSource(Checkpoint checkpoint, Backend backend) {
        super(checkpoint);
        this.dtype = backend.activationType();
        this.packings = backend.packings();
    }

    static WeightBytes count(Checkpoint checkpoint, DecoderConfig config, TensorNames names, Backend backend) {
        var counting = new StoredCountingSource(checkpoint, backend);
        WeightTree.build(config, names, counting);
        return new WeightBytes(counting.bytes, backend.unpackedBytes(counting.largestPacked));
    }

    @Override
    public Tensor load(Wanted wanted) {
        bytes = Math.addExact(bytes, wanted.type(dtype).bytes(Tensor.elements(wanted.name(), wanted.shape())));
        return null;
    }

    @Override
    public Weight weight(Wanted wanted) {
        Packing packing = packing(wanted);
        if (packing == null || !packings.contains(packing)) {
            return super.weight(wanted);
        }
        long elements = Tensor.elements(wanted.name(), wanted.shape());
        long rows = elements / wanted.columns();
        largestPacked = Math.max(largestPacked, elements);
        bytes = Math.addExact(bytes, elements / packing.numbersPerByte()
                + packing.scaleType().bytes(Math.multiplyExact(rows, packing.scales(wanted.columns()))));
        return new Weight.Dense(null);
    }
}
