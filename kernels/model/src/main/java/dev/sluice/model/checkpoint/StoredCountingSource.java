package dev.sluice.model.checkpoint;

import dev.sluice.compute.DryScope;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;
import dev.sluice.model.safetensors.Checkpoint;

/// Adds up what a backend will hold of a checkpoint.
final class StoredCountingSource extends StoredSource {
    private final Keeping keeping;
    private final DryScope scope = new DryScope("counted weights", Lifetime.PROCESS, 1);

    private StoredCountingSource(Checkpoint checkpoint, Keeping keeping) {
        super(checkpoint);
        this.keeping = keeping;
    }

    static CountedWeights count(Checkpoint checkpoint, DecoderConfig config, TensorNames names, Keeping keeping) {
        var counting = new StoredCountingSource(checkpoint, keeping);
        return new CountedWeights(WeightTree.build(config, names, counting), counting.scope.bytes());
    }

    @Override
    public Tensor load(Wanted wanted) {
        return scope.allocate(wanted.name(), wanted.type(keeping.type()), wanted.shape());
    }

    @Override
    public Weight weight(Wanted wanted) {
        Packing packing = keeping.packing(wanted, packing(wanted));
        return packing == null ? super.weight(wanted)
                : packing == Packing.NF4 ? Nf4Loader.allocate(wanted, groupSize(wanted), scope)
                : PackedLoader.allocate(scope, wanted, packing);
    }
}
