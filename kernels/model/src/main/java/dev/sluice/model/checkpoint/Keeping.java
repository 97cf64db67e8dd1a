package dev.sluice.model.checkpoint;

import dev.sluice.compute.Backend;
import dev.sluice.compute.DType;
import dev.sluice.compute.Packing;
import dev.sluice.model.Quantization;
import dev.sluice.model.UnsupportedModelException;
import dev.sluice.model.checkpoint.WeightSource.Wanted;
import dev.sluice.model.json.JsonFields;
import java.util.Set;

/// In which form a backend keeps frozen weights.
///
/// @param type of plain ones
/// @param packings that the backend multiplies with
/// @param stacks packing that stacks of experts come in where there is no checkpoint to look into, or null
record Keeping(DType type, Set<Packing> packings, Quantization quantization, Packing stacks) {
    /// @throws UnsupportedModelException if the backend does not multiply with what is asked for
    static Keeping of(Backend backend, Quantization quantization) {
        var keeping = new Keeping(backend.activationType(), backend.packings(), quantization, null);
        if (quantization == Quantization.NF4 && !keeping.packings.contains(Packing.NF4)) {
            throw new UnsupportedModelException("quantization nf4: backend " + backend.name() + " does not multiply with NF4 yet; "
                    + "train without it, or on another backend");
        }
        return keeping;
    }

    /// The same for a model of which there is only `config.json`.
    ///
    /// @throws UnsupportedModelException if the backend does not multiply with what is asked for
    static Keeping ofShape(JsonFields config, Backend backend, Quantization quantization) {
        var keeping = of(backend, quantization);
        boolean mxfp4 = config.object("quantization_config").text("quant_method", "").equals("mxfp4");
        return new Keeping(keeping.type, keeping.packings, quantization, mxfp4 ? Packing.MXFP4 : null);
    }

    /// The packing that a weight is kept in that no checkpoint has, or null where it is kept plain.
    Packing packing(Wanted wanted) {
        boolean whole = stacks != null && wanted.shape().length == 3 && wanted.columns() % stacks.block() == 0;
        return packing(wanted, whole ? stacks : null);
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
