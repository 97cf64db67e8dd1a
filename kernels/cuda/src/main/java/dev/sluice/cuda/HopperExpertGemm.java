package dev.sluice.cuda;

import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The Hopper form of a [Gemm] over rows sorted by expert: twin of `hopper/expert_gemm.cu`.
final class HopperExpertGemm {
    private static final int DEPTH = TileSizes.of("HOPPER_DEPTH");
    private static final int THREADS = TileSizes.of("HOPPER_THREADS");
    private static final int COLUMNS = TileSizes.of("EXPERT_GEMM_COLUMNS");
    private static final int BOX_ROWS = TileSizes.of("EXPERT_GEMM_BOX");
    private static final int SHARED_BYTES = TileSizes.of("EXPERT_GEMM_SHARED_BYTES");
    /// Row tiles that are taken column by column before the next ones, so that what they share stays in L2.
    private static final int BAND = 8;

    private final Device device;
    private final Gemm product;

    HopperExpertGemm(Device device, Gemm product) {
        this.device = device;
        this.product = product;
    }

    /// Whether the kernels' requirements hold; the portable kernel takes what they leave.
    static boolean suits(Gemm g) {
        return HopperGemm.shaped(g) && !g.accumulate() && g.cRows() == null && g.aRowsFrom() == 0;
    }

    void run() {
        var g = product;
        var pieces = g.tiles().even();
        boolean gather = g.aRows() != null;
        boolean ranked = g.rank() > 0;
        var weight = weights(g.weight(), g.k());
        device.launch("hopper_experts_" + (g.form() == Gemm.Form.FORWARD ? "nt" : "nn") + (gather ? "_gather" : "")).detail(g.sizes())
                .grid(Math.min(device.multiprocessors(), (long) pieces.limit() * Math.ceilDiv(g.n(), COLUMNS))).block(THREADS)
                .sharedBytes(SHARED_BYTES)
                .beginStruct().tensorMap(gather ? weight : rows(g.a(), g.lda(), g.k())).tensorMap(weight)
                .tensorMap(ranked ? rows(g.z(), g.rank(), g.rank()) : weight).tensorMap(ranked ? weights(g.u(), g.rank()) : weight).endStruct()
                .beginStruct().pointer(pieces.table()).pointer(pieces.count()).pointer(g.a()).pointer(g.aRows()).pointer(g.c())
                .pointer(g.bias()).int64(device.drawnTiles()).int32(g.bias() == null ? 0 : Launch.code(g.bias().dtype()))
                .int32(g.n()).int32(g.k()).int32(g.lda()).int32(g.ldc()).int32(g.rank()).int32(BAND).int32(0).endStruct().run();
    }

    private MemorySegment rows(Tensor values, long stride, long width) {
        return HopperGemm.rows(device, values, stride, width, BOX_ROWS);
    }

    private MemorySegment weights(Tensor values, long depth) {
        return HopperGemm.weights(device, product, values, depth, COLUMNS);
    }
}
