package dev.sluice.cuda;

import dev.sluice.compute.Accumulate;
import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import java.util.List;

/// One matrix product, described by name; twin of `portable/gemm.cu` and `gemm_narrow.cu`, or a [LoraProjection], [ShallowGemm],
/// [HopperGemm] or [HopperExpertGemm] where they take it.
final class Gemm {
    private static final int ROWS = TileSizes.of("GEMM_ROWS");
    private static final int THREADS = TileSizes.of("GEMM_THREADS");
    /// Products of at most this many columns take the narrow tile: LoRA's z.
    private static final int NARROW = TileSizes.of("GEMM_NARROW_COLUMNS");
    private static final int ALIGNMENT = 16;

    /// Rows and columns of a block.
    private enum Tile {
        WIDE("", ROWS, TileSizes.of("GEMM_COLUMNS"), 2),
        SQUARE("_narrow_64", 64, 64, 3),
        NARROW("_narrow", TileSizes.of("GEMM_NARROW_ROWS"), Gemm.NARROW, Integer.MAX_VALUE);

        private final String suffix;
        private final int rows;
        private final int columns;
        /// Where it would keep fewer than one in so many multiprocessors busy, a smaller one ends sooner: a router's logits.
        private final int idle;

        Tile(String suffix, int rows, int columns, int idle) {
            this.suffix = suffix;
            this.rows = rows;
            this.columns = columns;
            this.idle = idle;
        }
    }

    /// How the frozen matrix is read.
    enum Form {
        /// `C = A W^T` with W [n, k].
        FORWARD("gemm_nt"),
        /// `C = A W` with W [k, n].
        GRADIENT("gemm_nn");

        private final String kernel;

        Form(String kernel) {
            this.kernel = kernel;
        }

        String kernel() {
            return kernel;
        }
    }

    /// What the sums become; as `Output` in `gemm.cu`.
    enum Output {
        FLOAT32,
        BFLOAT16,
        /// Rounded to bf16 and kept as float32: what a bf16 layer followed by a cast gives.
        ROUNDED_FLOAT32
    }

    private final Device device;
    private final Form form;
    private final Tensor weight;
    private final int n;
    private final int k;
    private Tensor a;
    private long lda;
    private Tensor aRows;
    private long aRowsFrom;
    private Tensor z;
    private Tensor u;
    private int rank;
    private Tensor bias;
    private Tensor c;
    private long ldc;
    private Tensor cRows;
    private long cRowsFrom;
    private Output output = Output.BFLOAT16;
    private boolean accumulate;
    private RowTiles tiles;
    private long rows;
    private Tensor limit;
    private long limitOffset;
    private double alpha = 1;

    private Gemm(Device device, Form form, Tensor weight) {
        this.device = device;
        this.form = form;
        this.weight = weight;
        this.n = Math.toIntExact(weight.dim(form == Form.FORWARD ? -2 : -1));
        this.k = Math.toIntExact(weight.dim(form == Form.FORWARD ? -1 : -2));
    }

    /// @param weight BFLOAT16 [n, k] or [experts, n, k] forward; [k, n] or [experts, k, n] for a gradient
    static Gemm of(Device device, Form form, Tensor weight) {
        return new Gemm(device, form, weight);
    }

    Gemm a(Tensor values, long stride) {
        a = values;
        lda = stride;
        return this;
    }

    /// Row r of the product reads row `map[from + r]` of A.
    Gemm gather(Tensor map, long from) {
        aRows = map;
        aRowsFrom = from;
        return this;
    }

    /// The low-rank update: z [rows, rank] and the LoRA matrix whose columns or rows match the frozen one's.
    Gemm update(Tensor values, Tensor matrix, int updateRank) {
        z = values;
        u = matrix;
        rank = updateRank;
        return this;
    }

    /// @param vector [n], or [experts, n] for a stack
    Gemm bias(Tensor vector) {
        bias = vector;
        return this;
    }

    Gemm alpha(double factor) {
        alpha = factor;
        return this;
    }

    Gemm into(Tensor values, long stride, Output kind) {
        c = values;
        ldc = stride;
        output = kind;
        return this;
    }

    Gemm into(Tensor values, Accumulate mode) {
        accumulate = mode == Accumulate.ADD;
        return into(values, n, Output.BFLOAT16);
    }

    /// Adds to what C holds.
    Gemm add() {
        accumulate = true;
        return this;
    }

    /// Row r of the product goes to row `map[from + r]` of C.
    Gemm scatter(Tensor map, long from) {
        cRows = map;
        cRowsFrom = from;
        return this;
    }

    /// Only `count[0] - offset` of the rows exist.
    Gemm limit(Tensor count, long offset) {
        limit = count;
        limitOffset = offset;
        return this;
    }

    /// Runs it over `count` rows of one matrix.
    void run(long count) {
        rows = count;
        launch(Math.ceilDiv(rows, ROWS));
    }

    /// Runs it over rows that are sorted by expert.
    void run(RowTiles rowTiles) {
        tiles = rowTiles;
        launch(rowTiles.fixed().limit());
    }

    /// Runs several products with LoRA matrices, each over `count` rows of its own or of one A.
    static void runNarrow(List<Gemm> products, long count) {
        products.forEach(product -> product.rows = count);
        if (products.size() > 1 && LoraProjection.together(products)) {
            new LoraProjection(products.getFirst().device, products).run(Math.ceilDiv(count, ROWS));
        } else {
            products.forEach(product -> product.run(count));
        }
    }

    /// Runs several products that read the same A, over `count` rows.
    static void runAll(List<Gemm> products, long count) {
        if (!products.stream().allMatch(Gemm::onHopper) || products.size() > HopperGemm.LAYERS) {
            products.forEach(product -> product.run(count));
            return;
        }
        products.forEach(product -> product.rows = count);
        new HopperGemm(products.getFirst().device, products).run(Math.ceilDiv(count, ROWS));
    }

    /// Adds several gradients of one input, over `count` rows.
    static void runSum(List<Gemm> products, Tensor sum, Accumulate mode, long count) {
        products.getFirst().into(sum, mode);
        products.stream().skip(1).forEach(product -> product.into(sum, Accumulate.ADD));
        runAll(products, count);
    }

    private boolean onHopper() {
        return device.hopper() && n > NARROW && (tiles == null ? HopperGemm.suits(this) : HopperExpertGemm.suits(this));
    }

    private void launch(long rowTiles) {
        if (LoraProjection.suits(this)) {
            new LoraProjection(device, List.of(this)).run(rowTiles);
            return;
        }
        if (ShallowGemm.suits(this)) {
            new ShallowGemm(device, this).run();
            return;
        }
        if (onHopper()) {
            if (tiles == null) {
                new HopperGemm(device, List.of(this)).run(rowTiles);
            } else {
                new HopperExpertGemm(device, this).run();
            }
            return;
        }
        var tile = tile();
        int columnBlocks = Math.ceilDiv(n, tile.columns);
        device.launch(form.kernel + tile.suffix + (aligned() ? "" : "_any"))
                .detail(sizes()).grid(blocks(tile)).block(THREADS).beginStruct()
                .pointer(a).pointer(aRows, aRowsFrom).pointer(weight).pointer(z).pointer(u).pointer(bias).pointer(c)
                .pointer(cRows, cRowsFrom).pointer(tiles == null ? null : tiles.fixed().table()).pointer(tiles == null ? null : tiles.fixed().count())
                .pointer(limit).int64((long) n * k).int64((long) n * rank)
                .int32(rows).int32(n).int32(k).int32(lda).int32(ldc).int32(rank)
                .int32(bias == null ? 0 : Launch.code(bias.dtype())).int32(output.ordinal()).flag(accumulate).int32(limitOffset)
                .int32(columnBlocks).float32(alpha).endStruct().run();
    }

    private Tile tile() {
        if (n > NARROW && busy(Tile.WIDE)) {
            return Tile.WIDE;
        }
        boolean square = form == Form.FORWARD && tiles == null && aligned() && n > NARROW;
        return square && busy(Tile.SQUARE) ? Tile.SQUARE : Tile.NARROW;
    }

    private boolean busy(Tile tile) {
        return blocks(tile) * tile.idle >= device.multiprocessors();
    }

    private long blocks(Tile tile) {
        long rowBlocks = tiles == null ? Math.ceilDiv(rows, tile.rows) : (long) tiles.fixed().limit() * (ROWS / tile.rows);
        return rowBlocks * Math.ceilDiv(n, tile.columns);
    }

    /// Its sizes, where times are taken.
    String sizes() {
        return KernelTimes.WANTED ? " rows=" + (tiles == null ? rows : "grouped") + " n=" + n + " k=" + k + " rank=" + rank : "";
    }

    /// Whether every row that is copied 16 bytes at a time begins at a multiple of 16 bytes.
    boolean aligned() {
        long wide = ALIGNMENT / DType.BFLOAT16.bytes();
        return lda % wide == 0 && (form == Form.FORWARD ? k : n) % wide == 0
                && (a.address() | weight.address() | c.address() | address(z) | address(u)) % ALIGNMENT == 0;
    }

    private static long address(Tensor tensor) {
        return tensor == null ? 0 : tensor.address();
    }

    // What the Hopper forms read.

    Form form() {
        return form;
    }

    Tensor weight() {
        return weight;
    }

    int n() {
        return n;
    }

    int k() {
        return k;
    }

    Tensor a() {
        return a;
    }

    long lda() {
        return lda;
    }

    Tensor aRows() {
        return aRows;
    }

    long aRowsFrom() {
        return aRowsFrom;
    }

    Tensor z() {
        return z;
    }

    Tensor u() {
        return u;
    }

    int rank() {
        return rank;
    }

    Tensor bias() {
        return bias;
    }

    Tensor c() {
        return c;
    }

    long ldc() {
        return ldc;
    }

    Tensor cRows() {
        return cRows;
    }

    long cRowsFrom() {
        return cRowsFrom;
    }

    Output output() {
        return output;
    }

    boolean accumulate() {
        return accumulate;
    }

    RowTiles tiles() {
        return tiles;
    }

    long rows() {
        return rows;
    }

    Tensor limit() {
        return limit;
    }

    long limitOffset() {
        return limitOffset;
    }

    double alpha() {
        return alpha;
    }
}
