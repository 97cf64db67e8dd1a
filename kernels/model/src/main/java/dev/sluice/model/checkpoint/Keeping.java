package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.model.Quantization;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.checkpoint.WeightSource.Wanted;
import java.util.Set;

/// In which form a backend keeps frozen weights.
///
/// @param type of plain ones
/// @param packings that the backend multiplies with
record Keeping(DType type, Set<Packing> packings, Quantization quantization) {
    /// @throws UnsupportedModelException if the backend does not multiply with what is asked for
    static Keeping of(Backend backend, Quantization quantization) {
        var keeping = new Keeping(backend.activationType(), backend.packings(), quantization);
        if (quantization == Quantization.NF4 && !keeping.packings.contains(Packing.NF4)) {
            throw new UnsupportedModelException("quantization nf4: backend " + backend.name() + " does not multiply with NF4 yet; "
                    + "train without it, or on another backend");
        }
        return keeping;
    }

    /// The packing that a weight is kept in, or null where it is kept plain.
    ///
    /// @param stored the packing that it has in its checkpoint, or null
    Packing packing(Wanted wanted, Packing stored) {
        boolean known = stored != null && packings.contains(stored);
        boolean wide = !known || stored.numbersPerByte() < Packing.NF4.numbersPerByte();
        boolean quantized = quantization == Quantization.NF4 && wide && wanted.columns() % Packing.NF4.block() == 0;
        return quantized ? Packing.NF4 : known ? stored : null;
    }
}
