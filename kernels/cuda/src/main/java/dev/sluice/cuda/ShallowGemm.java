package dev.sluice.cuda;

/// The form of a gradient [Gemm] whose sums are short: it takes as long as its output is read and written. A router's. Twin of `shallow.cu`.
final class ShallowGemm {
    private static final int ROWS = TileSizes.of("SHALLOW_ROWS");
    private static final int COLUMNS = TileSizes.of("SHALLOW_COLUMNS");
    private static final int DEPTH = TileSizes.of("SHALLOW_DEPTH");
    private static final int THREADS = TileSizes.of("SHALLOW_THREADS");
    /// Blocks that a multiprocessor holds at once.
    private static final int RESIDENT = TileSizes.of("SHALLOW_RESIDENT");
    private static final int CHUNK = 8;

    private final Device device;
    private final Gemm gemm;

    ShallowGemm(Device device, Gemm gemm) {
        this.device = device;
        this.gemm = gemm;
    }

    /// Whether the kernel's requirements hold.
    static boolean suits(Gemm g) {
        boolean plain = g.output() == Gemm.Output.BFLOAT16 && g.bias() == null && g.rank() == 0 && g.alpha() == 1;
        boolean whole = g.tiles() == null && g.limit() == null && g.aRows() == null && g.cRows() == null;
        return plain && whole && g.form() == Gemm.Form.GRADIENT && g.k() <= DEPTH && g.ldc() % CHUNK == 0 && g.aligned();
    }

    void run() {
        long columnBlocks = Math.ceilDiv(gemm.n(), COLUMNS);
        device.launch("gemm_nn_shallow").detail(gemm.sizes()).grid(columnBlocks, walks(columnBlocks)).block(THREADS).beginStruct()
                .pointer(gemm.a()).pointer(gemm.weight()).pointer(gemm.c()).int32(gemm.rows()).int32(gemm.n()).int32(gemm.k())
                .int32(gemm.lda()).int32(gemm.ldc()).flag(gemm.accumulate()).endStruct().run();
    }

    /// Blocks that share the row tiles of one block of columns: equally, and all blocks at once if the device holds so many.
    private long walks(long columnBlocks) {
        long tiles = Math.ceilDiv(gemm.rows(), ROWS);
        long most = Math.max(1, (long) RESIDENT * device.multiprocessors() / columnBlocks);
        return tiles == 0 ? 0 : Math.ceilDiv(tiles, Math.ceilDiv(tiles, most));
    }
}
