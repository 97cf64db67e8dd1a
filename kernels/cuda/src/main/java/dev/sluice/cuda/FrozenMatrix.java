package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Mxfp4;
import dev.sluice.compute.Nf4;
import dev.sluice.compute.Packing;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;
import dev.sluice.compute.Weight;
import java.util.Set;

/// Frozen matrices in the format that the products read: plain ones as they are; packed ones widened to bf16 into scratch
/// memory, which the products then share. Twin of `unpack.cu`.
final class FrozenMatrix {
    /// What the kernels unpack.
    static final Set<Packing> PACKINGS = Set.of(Packing.values());

    private static final int FLAT_THREADS = TileSizes.of("FLAT_THREADS");
    private static final int UNITS = TileSizes.of("UNPACK_UNITS");
    private static final int WIDE = 8;
    private static final float[] E2M1 = Mxfp4.numbers();
    private static final float[] NORMAL = Nf4.numbers();
    private static final float[] SCALES = Nf4.scales();

    private final Device device;

    FrozenMatrix(Device device) {
        this.device = device;
    }

    /// One matrix.
    ///
    /// @return BFLOAT16 [out, in]; in `scratch` where the weight is packed
    Tensor of(String operation, Weight weight, Scope scratch) {
        return of(operation, weight, null, scratch);
    }

    /// A stack of matrices, of which those of experts without rows are left unwritten.
    ///
    /// @param offsets of the routing, or null
    /// @return BFLOAT16 [experts, out, in]; in `scratch` where the weight is packed
    Tensor of(String operation, Weight weight, Tensor offsets, Scope scratch) {
        return switch (weight) {
            case Weight.Dense(var values) -> {
                if (values.dtype() != DType.BFLOAT16) {
                    throw new IllegalArgumentException(operation + ": " + values + " should be BFLOAT16 on a GPU; load the model in it");
                }
                yield values;
            }
            case Weight.Packed packed -> unpack(packed, offsets, scratch);
        };
    }

    private Tensor unpack(Weight.Packed packed, Tensor offsets, Scope scratch) {
        long[] shape = packed.codes().shape();
        shape[shape.length - 1] = packed.in();
        Tensor out = scratch.allocate("unpacked", DType.BFLOAT16, shape);
        long experts = shape.length == 2 ? 1 : shape[0];
        boolean wide = packed.in() % WIDE == 0;
        long units = Math.ceilDiv(packed.out() * packed.in(), (wide ? WIDE : 1L) * UNITS);
        String kernel = switch (packed.packing()) {
            case FP8 -> wide ? "unpack_fp8" : "unpack_fp8_any";
            case MXFP4 -> "unpack_mxfp4";
            case NF4 -> "unpack_nf4";
        };
        var launch = device.launch(kernel).grid(Math.ceilDiv(units, FLAT_THREADS), experts).block(FLAT_THREADS).beginStruct()
                .pointer(packed.codes()).pointer(packed.scales()).pointer(packed.groups()).pointer(offsets).pointer(out)
                .int32(packed.out()).int32(packed.in()).int32(packed.groups() == null ? 0 : Integer.numberOfTrailingZeros(packed.groupSize()))
                .endStruct();
        switch (packed.packing()) {
            case FP8 -> { }
            case MXFP4 -> tables(launch, E2M1);
            case NF4 -> tables(launch, NORMAL);
        }
        launch.run();
        return out;
    }

    private static void tables(Launch launch, float[] numbers) {
        launch.beginStruct();
        for (float number : numbers) {
            launch.float32(number);
        }
        for (float scale : SCALES) {
            launch.float32(scale);
        }
        launch.endStruct();
    }
}
