package dev.sluice.cuda;

import java.util.List;

/// The form of a [Gemm] that has as many columns as a LoRA matrix has ranks, z and dz, or of several in one launch. Twin of `lora_z.cu`.
final class LoraProjection {
    /// Most layers of one launch.
    static final int LAYERS = TileSizes.of("LORA_Z_LAYERS");
    private static final int TILE_ROWS = TileSizes.of("GEMM_ROWS");
    private static final int WIDEST = 64;
    private static final int NARROWEST = 8;
    private static final List<Integer> SHARED_COLUMNS = List.of(16, 32, 48, WIDEST);
    /// Where blocks for all layers would keep fewer than one in so many multiprocessors busy, a block computes one layer.
    private static final int IDLE = 2;

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
    private final List<Gemm> layers;
    private final Gemm first;
    /// Whether a block computes all layers.
    private final boolean shared;

    /// @param layers one product, or several that can be computed [#together]
    LoraProjection(Device device, List<Gemm> layers) {
        this.device = device;
        this.layers = layers;
        this.first = layers.getFirst();
        this.shared = shareColumns(layers) && (!alike(layers) || busy());
    }

    /// Whether the kernel's requirements hold.
    static boolean suits(Gemm g) {
        boolean plain = g.output() == Gemm.Output.BFLOAT16 && g.bias() == null && g.rank() == 0 && !g.accumulate() && g.cRows() == null
                && g.ldc() == g.n();
        boolean shaped = g.form() == Gemm.Form.FORWARD ? g.n() <= WIDEST : g.n() == columns(g.n());
        return plain && shaped && g.n() <= WIDEST && g.k() % 8 == 0 && g.lda() % 8 == 0 && g.aligned();
    }

    /// Whether one launch takes several dense layers: those of one input with few columns in all, or any of equal rank.
    static boolean together(List<Gemm> layers) {
        boolean plain = layers.stream().allMatch(g -> suits(g) && g.tiles() == null && g.limit() == null && g.aRows() == null
                && g.form() == layers.getFirst().form());
        return plain && layers.size() <= LAYERS && (alike(layers) || shareColumns(layers));
    }

    private static boolean alike(List<Gemm> layers) {
        return layers.stream().allMatch(g -> g.n() == layers.getFirst().n());
    }

    private static boolean shareColumns(List<Gemm> layers) {
        var first = layers.getFirst();
        return layers.size() > 1 && first.form() == Gemm.Form.FORWARD && NARROWEST * eights(layers, layers.size()) <= WIDEST
                && layers.stream().allMatch(g -> g.a().address() == first.a().address() && g.lda() == first.lda() && g.k() == first.k());
    }

    private boolean busy() {
        return Math.ceilDiv(first.rows(), Block.FEW.rows) * IDLE >= device.multiprocessors();
    }

    /// Eights of columns of the first `count` layers.
    private static int eights(List<Gemm> layers, int count) {
        return layers.stream().limit(count).mapToInt(g -> Math.ceilDiv(g.n(), NARROWEST)).sum();
    }

    /// Columns of the kernel that takes n of one layer.
    private static int columns(int n) {
        return Math.max(NARROWEST, n <= 1 ? 1 : Integer.highestOneBit(n - 1) << 1);
    }

    private int columns() {
        int all = NARROWEST * eights(layers, layers.size());
        return shared ? SHARED_COLUMNS.stream().filter(columns -> columns >= all).findFirst().orElseThrow() : columns(first.n());
    }

    private Block block() {
        boolean many = first.tiles() != null || first.rows() >= 2L * Block.MANY.rows * device.multiprocessors();
        return many && !shared ? Block.MANY : Block.FEW;
    }

    void run(long rowTiles) {
        var block = block();
        long blocks = first.tiles() == null ? Math.ceilDiv(first.rows(), block.rows) : rowTiles * TILE_ROWS / block.rows;
        var launch = device.launch((first.form() == Gemm.Form.FORWARD ? "lora_z_" : "lora_dz_") + columns() + "_" + block.rows)
                .detail(first.sizes()).grid(blocks, shared ? 1 : layers.size()).block(block.threads).beginStruct()
                .pointer(first.aRows(), first.aRowsFrom()).pointer(first.tiles() == null ? null : first.tiles().fixed().table())
                .pointer(first.tiles() == null ? null : first.tiles().fixed().count()).pointer(first.limit())
                .int32(first.rows()).int32(first.limitOffset());
        for (int i = 0; i < LAYERS; i++) {
            launch.int32(i == 0 ? 0 : shared && i < layers.size() ? eights(layers, i) : Integer.MAX_VALUE);
        }
        for (int i = 0; i < LAYERS; i++) {
            var g = layers.get(Math.min(i, layers.size() - 1));
            launch.pointer(g.a()).pointer(g.weight()).pointer(g.c()).int32(g.n()).int32(g.k()).int32(g.lda()).float32(g.alpha());
        }
        launch.endStruct().run();
    }
}
