package dev.sluice.model.checkpoint;

import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;

/// Adds up sizes without looking at any file.
final class CountingSource implements WeightSource {
    private final Keeping keeping;
    private long bytes;

    private CountingSource(Keeping keeping) {
        this.keeping = keeping;
    }

    /// Bytes of a decoder's weights kept so.
    static long bytes(DecoderConfig config, TensorNames names, Keeping keeping) {
        var counting = new CountingSource(keeping);
        WeightTree.build(config, names, counting);
        return counting.bytes;
    }

    @Override
    public boolean has(String name) {
        return true;
    }

    @Override
    public boolean has(String name, long... shape) {
        return true;
    }

    @Override
    public Tensor load(Wanted wanted) {
        bytes = Math.addExact(bytes, keeping.bytes(wanted, null, 0));
        return null;
    }

    @Override
    public Weight weight(Wanted wanted) {
        Packing packing = keeping.packing(wanted, null);
        bytes = Math.addExact(bytes, keeping.bytes(wanted, packing, packing == null ? 0 : Nf4Matrix.groupSize(wanted)));
        return new Weight.Dense(null);
    }
}
