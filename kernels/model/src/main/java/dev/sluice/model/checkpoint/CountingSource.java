package dev.sluice.model.checkpoint;

import dev.sluice.compute.DryScope;
import dev.sluice.compute.Lifetime;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import dev.sluice.model.config.DecoderConfig;
import dev.sluice.model.config.TensorNames;

/// Adds up sizes without looking at any file.
final class CountingSource implements WeightSource {
    private final Keeping keeping;
    private final DryScope scope = new DryScope("counted weights", Lifetime.PROCESS, 1);

    private CountingSource(Keeping keeping) {
        this.keeping = keeping;
    }

    /// A decoder's weights kept so.
    static CountedWeights count(DecoderConfig config, TensorNames names, Keeping keeping) {
        var counting = new CountingSource(keeping);
        return new CountedWeights(WeightTree.build(config, names, counting), counting.scope.bytes());
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
        return scope.allocate(wanted.name(), wanted.type(keeping.type()), wanted.shape());
    }

    @Override
    public Weight weight(Wanted wanted) {
        Packing packing = keeping.packing(wanted);
        return packing == null ? WeightSource.super.weight(wanted) : switch (packing) {
            case NF4 -> Nf4Loader.allocate(wanted, Nf4Matrix.groupSize(wanted), scope);
            case FP8, MXFP4 -> PackedLoader.allocate(scope, wanted, packing);
        };
    }
}
