package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Function;

/// The Hopper form of a dense [Gemm], or of several that share an input: twin of `hopper/gemm.cu` and `hopper/pingpong.cu`.
final class HopperGemm {
    private static final int ROWS = TileSizes.of("HOPPER_ROWS");
    private static final int DEPTH = TileSizes.of("HOPPER_DEPTH");
    private static final int THREADS = TileSizes.of("HOPPER_THREADS");
    /// Most layers that one launch multiplies.
    static final int LAYERS = TileSizes.of("HOPPER_GEMM_LAYERS");
    private static final int SLAB = 64;
    private static final int BYTES = 2;
    /// Row tiles that are taken column by column before the next ones, so that what they share stays in L2.
    private static final int BAND = 16;

    private final Device device;
    private final List<Gemm> layers;
    private final Gemm first;

    /// @param layers one product; or up to [#LAYERS] that read the same A forward, or add into the same C as gradients
    HopperGemm(Device device, List<Gemm> layers) {
        this.device = device;
        this.layers = layers;
        this.first = layers.getFirst();
    }

    /// Whether the kernels' requirements hold; the portable kernel takes what they leave.
    static boolean suits(Gemm g) {
        return shaped(g) && (g.aRows() == null || g.form() == Gemm.Form.FORWARD);
    }

    /// What all Hopper products need.
    static boolean shaped(Gemm g) {
        boolean plain = g.output() == Gemm.Output.BFLOAT16 && g.alpha() == 1 && (g.bias() == null || g.bias().dtype() != DType.FLOAT16);
        boolean ranked = g.rank() % 8 == 0 && g.rank() <= DEPTH;
        boolean shaped = g.form() == Gemm.Form.FORWARD ? g.k() % 8 == 0 && g.n() % 8 == 0 : g.n() % SLAB == 0;
        return plain && ranked && shaped && g.ldc() % 8 == 0 && g.lda() % 8 == 0 && g.aligned();
    }

    void run(long rowTiles) {
        var tile = layers.size() > 1 ? HopperTile.SHARED : HopperTile.of(first, rowTiles, device.multiprocessors());
        boolean gather = first.aRows() != null;
        int slots = layers.size() > 1 ? LAYERS : 1;
        var launch = device.launch("hopper_" + (slots > 1 ? "layers_" + suffix() : tile.kernel(suffix())) + (gather ? "_gather" : ""))
                .detail(first.sizes()).grid(Math.min(device.multiprocessors(), rowTiles * columnTiles(tile))).block(THREADS)
                .sharedBytes(tile.sharedBytes()).beginStruct();
        maps(launch, slots, g -> gather ? right(g, tile, g.weight(), g.k()) : rows(g.a(), g.lda(), g.k()));
        maps(launch, slots, g -> right(g, tile, g.weight(), g.k()));
        maps(launch, slots, g -> g.rank() == 0 ? right(g, tile, g.weight(), g.k()) : rows(g.z(), g.rank(), g.rank()));
        maps(launch, slots, g -> g.rank() == 0 ? right(g, tile, g.weight(), g.k()) : right(g, tile, g.u(), g.rank()));
        launch.endStruct().beginStruct().pointer(first.limit()).int32(first.rows()).int32(first.limitOffset()).int32(BAND).int32(0)
                .pointer(first.a()).pointer(first.aRows(), first.aRowsFrom()).pointer(first.cRows(), first.cRowsFrom())
                .int64(device.drawnTiles())
                .int32(first.lda()).flag(first.accumulate()).int32(layers.size()).int32(0);
        int column = 0;
        for (int i = 0; i < slots; i++) {
            var g = layer(i);
            launch.pointer(g.c()).pointer(g.bias()).int32(g.bias() == null ? 0 : Launch.code(g.bias().dtype()))
                    .int32(g.n()).int32(g.k()).int32(g.ldc()).int32(g.rank()).int32(column);
            column += g.form() == Gemm.Form.FORWARD ? tile.columnTiles(g.n()) : 0;
        }
        launch.endStruct().run();
    }

    /// Places without a layer repeat the last one, which is not read there.
    private Gemm layer(int i) {
        return layers.get(Math.min(i, layers.size() - 1));
    }

    private void maps(Launch launch, int slots, Function<Gemm, MemorySegment> map) {
        for (int i = 0; i < slots; i++) {
            launch.tensorMap(map.apply(layer(i)));
        }
    }

    private String suffix() {
        return first.form() == Gemm.Form.FORWARD ? "nt" : "nn";
    }

    private long columnTiles(HopperTile tile) {
        return first.form() == Gemm.Form.FORWARD ? layers.stream().mapToLong(g -> tile.columnTiles(g.n())).sum() : tile.columnTiles(first.n());
    }

    private MemorySegment rows(Tensor values, long stride, long width) {
        return rows(device, values, stride, width, ROWS / 2);
    }

    private MemorySegment right(Gemm g, HopperTile tile, Tensor values, long depth) {
        return weights(device, g, values, depth, tile.columns());
    }

    /// Map of rows of `width` numbers, `stride` apart, in boxes of `height` rows.
    static MemorySegment rows(Device device, Tensor values, long stride, long width, int height) {
        return device.tensorMaps().of(values.address(), List.of(width, values.elements() / stride), List.of(stride * BYTES),
                List.of(DEPTH, height));
    }

    /// Map of a frozen matrix or its LoRA partner, [experts, n, depth] forward, [experts, depth, n] for a gradient, in boxes of `columns`.
    static MemorySegment weights(Device device, Gemm g, Tensor values, long depth, int columns) {
        long n = g.n();
        long experts = values.elements() / (n * depth);
        return g.form() == Gemm.Form.FORWARD
                ? device.tensorMaps().of(values.address(), List.of(depth, n, experts), List.of(depth * BYTES, n * depth * BYTES),
                        List.of(DEPTH, columns, 1))
                : device.tensorMaps().of(values.address(), List.of((long) SLAB, depth, n / SLAB, experts),
                        List.of(n * BYTES, (long) SLAB * BYTES, n * depth * BYTES), List.of(SLAB, DEPTH, columns / SLAB, 1));
    }
}
