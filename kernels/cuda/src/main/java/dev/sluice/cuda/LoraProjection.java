package dev.sluice.cuda;

/// The form of a [Gemm] that has as many columns as a LoRA matrix has ranks: z and dz. Twin of `lora_z.cu`.
final class LoraProjection {
    private static final int TILE_ROWS = TileSizes.of("GEMM_ROWS");
    private static final int WIDEST = 64;
    private static final int NARROWEST = 8;

    /// Rows of a block and its threads.
    private enum Block {
        FEW(32, TileSizes.of("LORA_Z_FEW_THREADS")),
        MANY(64, TileSizes.of("LORA_Z_MANY_THREADS"));

        private final int rows;
        private final int threads;

        Block(int rows, int threads) {
            this.rows = rows;
            this.threads = threads;
        }
    }

    private final Device device;
    private final Gemm gemm;

    LoraProjection(Device device, Gemm gemm) {
        this.device = device;
        this.gemm = gemm;
    }

    /// Whether the kernel's requirements hold.
    static boolean suits(Gemm g) {
        boolean plain = g.output() == Gemm.Output.BFLOAT16 && g.bias() == null && g.rank() == 0 && !g.accumulate() && g.cRows() == null
                && g.ldc() == g.n();
        boolean shaped = g.form() == Gemm.Form.FORWARD ? g.n() <= WIDEST : g.n() == columns(g.n());
        return plain && shaped && g.n() <= WIDEST && g.k() % 8 == 0 && g.lda() % 8 == 0 && g.aligned();
    }

    /// Columns of the kernel that takes n.
    private static int columns(int n) {
        return Math.max(NARROWEST, n <= 1 ? 1 : Integer.highestOneBit(n - 1) << 1);
    }

    void run(long rowTiles) {
        var block = gemm.tiles() != null || gemm.rows() >= 2L * Block.MANY.rows * device.multiprocessors() ? Block.MANY : Block.FEW;
        long blocks = gemm.tiles() == null ? Math.ceilDiv(gemm.rows(), block.rows) : rowTiles * TILE_ROWS / block.rows;
        device.launch((gemm.form() == Gemm.Form.FORWARD ? "lora_z_" : "lora_dz_") + columns(gemm.n()) + "_" + block.rows)
                .detail(gemm.sizes()).grid(blocks).block(block.threads).beginStruct()
                .pointer(gemm.a()).pointer(gemm.aRows(), gemm.aRowsFrom()).pointer(gemm.weight()).pointer(gemm.c())
                .pointer(gemm.tiles() == null ? null : gemm.tiles().fixed().table()).pointer(gemm.tiles() == null ? null : gemm.tiles().fixed().count())
                .pointer(gemm.limit()).int32(gemm.rows()).int32(gemm.n()).int32(gemm.k()).int32(gemm.lda()).int32(gemm.limitOffset())
                .float32(gemm.alpha()).endStruct().run();
    }
}
