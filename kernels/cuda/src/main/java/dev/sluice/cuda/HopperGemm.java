package dev.sluice.cuda;

import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// The Hopper form of a [Gemm]: twin of `hopper/gemm.cu`.
final class HopperGemm {
    private static final int COLUMNS = TileSizes.of("HOPPER_GEMM_COLUMNS");
    private static final int ROWS = TileSizes.of("HOPPER_GEMM_ROWS");
    private static final int DEPTH = TileSizes.of("HOPPER_GEMM_DEPTH");
    private static final int THREADS = TileSizes.of("HOPPER_GEMM_THREADS");
    private static final int SHARED_BYTES = TileSizes.of("HOPPER_GEMM_SHARED_BYTES");
    private static final int SLAB = 64;
    private static final int BYTES = 2;

    private final Device device;
    private final Gemm gemm;

    HopperGemm(Device device, Gemm gemm) {
        this.device = device;
        this.gemm = gemm;
    }

    /// Whether the kernel's requirements hold; the portable kernel takes what they leave.
    static boolean suits(Gemm g) {
        boolean plain = g.output() == Gemm.Output.BFLOAT16 && g.bias() == null && g.alpha() == 1;
        boolean ranked = g.rank() % 8 == 0 && g.rank() <= DEPTH;
        boolean shaped = g.form() == Gemm.Form.FORWARD ? g.k() % 8 == 0 && g.n() % 8 == 0 : g.n() % SLAB == 0;
        return plain && ranked && shaped && g.ldc() % 8 == 0 && g.lda() % 8 == 0 && g.aligned();
    }

    void run(long rowTiles) {
        boolean gather = gemm.aRows() != null;
        int columnBlocks = Math.ceilDiv(gemm.n(), COLUMNS);
        var w = right(gemm.weight(), gemm.k());
        var a = gather ? w : rows(gemm.a(), gemm.lda(), gemm.k());
        var z = gemm.rank() == 0 ? w : rows(gemm.z(), gemm.rank(), gemm.rank());
        var u = gemm.rank() == 0 ? w : right(gemm.u(), gemm.rank());
        device.launch("hopper_" + gemm.form().kernel() + (gather ? "_gather" : ""))
                .detail(gemm.sizes()).grid(Math.min(device.multiprocessors(), rowTiles * columnBlocks)).block(THREADS).sharedBytes(SHARED_BYTES)
                .tensorMap(a).tensorMap(w).tensorMap(z).tensorMap(u).beginStruct()
                .pointer(gemm.a()).pointer(gemm.aRows(), gemm.aRowsFrom()).pointer(gemm.c()).pointer(gemm.cRows(), gemm.cRowsFrom())
                .pointer(gemm.tiles() == null ? null : gemm.tiles().table()).pointer(gemm.tiles() == null ? null : gemm.tiles().count())
                .pointer(gemm.limit())
                .int32(gemm.rows()).int32(gemm.n()).int32(gemm.k()).int32(gemm.lda()).int32(gemm.ldc()).int32(gemm.rank())
                .int32(gemm.limitOffset()).flag(gemm.accumulate()).int32(columnBlocks).endStruct().run();
    }

    /// Rows of `width` numbers, `stride` apart.
    private MemorySegment rows(Tensor values, long stride, long width) {
        return device.tensorMaps().of(values.address(), List.of(width, values.elements() / stride), List.of(stride * BYTES),
                List.of(DEPTH, ROWS));
    }

    /// The frozen matrix or its LoRA partner: [experts, n, depth] forward, [experts, depth, n] for a gradient.
    private MemorySegment right(Tensor values, long depth) {
        long n = gemm.n();
        long experts = values.elements() / (n * depth);
        return gemm.form() == Gemm.Form.FORWARD
                ? device.tensorMaps().of(values.address(), List.of(depth, n, experts), List.of(depth * BYTES, n * depth * BYTES),
                        List.of(DEPTH, COLUMNS, 1))
                : device.tensorMaps().of(values.address(), List.of((long) SLAB, depth, n / SLAB, experts),
                        List.of(n * BYTES, (long) SLAB * BYTES, n * depth * BYTES), List.of(SLAB, DEPTH, COLUMNS / SLAB, 1));
    }
}
