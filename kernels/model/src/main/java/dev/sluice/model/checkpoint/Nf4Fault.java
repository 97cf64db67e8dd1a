package dev.sluice.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Tensor;
import dev.sluice.model.checkpoint.WeightSource.Arrangement;
import dev.sluice.model.checkpoint.WeightSource.Part;
import dev.sluice.model.safetensors.Checkpoint;
import dev.sluice.model.safetensors.Checkpoint.Stored;
import dev.sluice.model.safetensors.ElementType;
import java.util.Arrays;

/// What is wrong with a matrix that bitsandbytes packed.
record Nf4Fault(Stored where, String what) {
    /// Of tables: they are computed, on some machines with other roundings.
    private static final float TABLE_TOLERANCE = 1e-6f;

    /// @return null if nothing is
    static Nf4Fault of(Checkpoint checkpoint, Part part) {
        String name = part.name();
        Stored codes = checkpoint.find(name);
        Stored state = checkpoint.find(name + StoredNf4.STATE);
        JsonNode json = StoredNf4.state(checkpoint, name);
        if (state.entry().type() != ElementType.U8 || json == null || !json.isObject()) {
            return new Nf4Fault(state, "tensor " + state.entry() + " should be U8 and hold JSON");
        }
        String wanted = "{quant_type: nf4, blocksize: " + Packing.NF4.block() + ", shape: " + Arrays.toString(part.shape()) + "}";
        if (!json.path("quant_type").asText().equals("nf4") || json.path("blocksize").asInt() != Packing.NF4.block()
                || !Arrays.equals(StoredNf4.shape(json), part.shape())) {
            return new Nf4Fault(state, "tensor " + state.entry().name() + " says " + json + ", should be " + wanted);
        }
        if (part.arrangement() != Arrangement.PLAIN) {
            return new Nf4Fault(codes, "tensor " + codes.entry() + " is NF4, which is not supported for this family's stacks of experts");
        }
        long elements = Tensor.elements(name, part.shape());
        Nf4Fault fault = bytes(codes, Math.ceilDiv(elements, 2));
        fault = fault != null ? fault : table(checkpoint, name + StoredNf4.TABLE, Nf4.numbers());
        return fault != null ? fault : scales(checkpoint, name, json, Math.ceilDiv(elements, Packing.NF4.block()));
    }

    private static Nf4Fault bytes(Stored stored, long size) {
        return stored.entry().type() == ElementType.U8 && stored.entry().elements() == size ? null
                : new Nf4Fault(stored, "tensor " + stored.entry() + " should be " + size + " of U8");
    }

    private static Nf4Fault floats(Checkpoint checkpoint, String name, long size) {
        Stored stored = checkpoint.find(name);
        if (stored == null) {
            return new Nf4Fault(null, "tensor " + name + " [" + size + "] is missing");
        }
        return stored.entry().type() == ElementType.F32 && stored.entry().elements() == size ? null
                : new Nf4Fault(stored, "tensor " + stored.entry() + " should be F32 [" + size + "]");
    }

    private static Nf4Fault table(Checkpoint checkpoint, String name, float[] wanted) {
        Nf4Fault fault = floats(checkpoint, name, wanted.length);
        if (fault != null) {
            return fault;
        }
        float[] found = StoredNf4.floats(checkpoint.find(name));
        for (int i = 0; i < wanted.length; i++) {
            if (!(Math.abs(found[i] - wanted[i]) <= TABLE_TOLERANCE)) {
                return new Nf4Fault(checkpoint.find(name), "tensor " + name + " holds " + found[i] + " for code " + i + ", should be "
                        + wanted[i] + ": other tables are not supported");
            }
        }
        return null;
    }

    private static Nf4Fault scales(Checkpoint checkpoint, String name, JsonNode json, long scales) {
        Stored magnitudes = checkpoint.find(name + StoredNf4.MAGNITUDES);
        boolean nested = json.has("nested_blocksize") || checkpoint.find(name + StoredNf4.FACTORS) != null;
        if (magnitudes == null || !nested) {
            return floats(checkpoint, name + StoredNf4.MAGNITUDES, scales);
        }
        if (json.path("nested_blocksize").asInt() != Nf4.GROUP || !json.path("nested_offset").isNumber()) {
            return new Nf4Fault(checkpoint.find(name + StoredNf4.STATE), "tensor " + name + StoredNf4.STATE + " says " + json
                    + ", should have nested_blocksize " + Nf4.GROUP + " and a nested_offset");
        }
        Nf4Fault fault = bytes(magnitudes, scales);
        fault = fault != null ? fault : floats(checkpoint, name + StoredNf4.FACTORS, Math.ceilDiv(scales, Nf4.GROUP));
        return fault != null ? fault : table(checkpoint, name + StoredNf4.NESTED_TABLE, Nf4.scales());
    }
}
