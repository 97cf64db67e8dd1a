package dev.sluice.cuda;

import dev.sluice.compute.Tensor;
import dev.sluice.compute.op.GatedActivation;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;

/// The experts' first product with its activation inside: twin of the gate_up kernels of `hopper/pingpong.cu`.
final class HopperGateUp {
    /// Until it is measured beside the product and a separate activation.
    static final boolean WANTED = Boolean.getBoolean("sluice.cuda.fusedGateUp");
    private static final HopperTile TILE = HopperTile.WIDE;
    private static final int THREADS = TileSizes.of("HOPPER_THREADS");
    private static final int DEPTH = TileSizes.of("HOPPER_DEPTH");
    private static final int BYTES = 2;

    private final Device device;
    private final Gemm gemm;
    private final GatedActivation activation;
    private final int width;

    /// @param gemm of gate and up in one, rows gathered
    HopperGateUp(Device device, Gemm gemm, GatedActivation activation) {
        this.device = device;
        this.gemm = gemm;
        this.activation = activation;
        this.width = gemm.n() / 2;
    }

    boolean suits() {
        return switch (activation) {
            case SWIGLU, CLAMPED_SWIGLU -> WANTED && device.hopper() && HopperGemm.suits(gemm) && width % 8 == 0 && HopperGemm.deep(gemm)
                    && HopperGemm.offsetsFit(gemm);
            case GEGLU, BILINEAR -> false;
        };
    }

    /// Writes what the product would write, and its activation.
    ///
    /// @param act BFLOAT16 [rows, width]
    void run(RowTiles tiles, Tensor act) {
        var w = right(gemm.weight(), gemm.k());
        var maps = HopperGemm.maps(device.launch("hopper_gate_up_" + activation.name().toLowerCase(Locale.ROOT)).detail(gemm.sizes())
                .grid(Math.min(device.multiprocessors(), tiles.limit() * Math.ceilDiv(width, TILE.columns() / 2))).block(THREADS)
                .sharedBytes(TILE.sharedBytes()), List.of(w, w, gemm.rank() == 0 ? w : HopperGemm.rows(device, gemm.z(), gemm.rank(), gemm.rank()),
                        gemm.rank() == 0 ? w : right(gemm.u(), gemm.rank())));
        HopperGemm.product(maps, device, gemm, tiles, 1).pointer(act).pointer(gemm.bias())
                .int32(gemm.bias() == null ? 0 : Launch.code(gemm.bias().dtype())).int32(width).int32(gemm.k()).int32(width).int32(gemm.rank())
                .int32(0).endStruct().pointer(gemm.c()).run();
    }

    /// [experts, 2 * width, depth], gate and up apart.
    private MemorySegment right(Tensor values, long depth) {
        long row = depth * BYTES;
        return device.tensorMaps().of(values.address(), List.of(depth, (long) width, 2L, values.elements() / (2 * width * depth)),
                List.of(row, width * row, 2 * width * row), List.of(DEPTH, TILE.columns() / 2, 1, 1));
    }
}
