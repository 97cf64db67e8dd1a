package dev.sluice.cuda;

import java.util.Comparator;
import java.util.stream.Stream;

/// The columns of an output tile, and who multiplies it; as measured in `hopper/NOTES.md`.
enum HopperTile {
    /// Two warpgroups share the tile (`gemm.cu`): fewest bytes for its operations, its stores show.
    SHARED("gemm_%s", "HOPPER_GEMM", 1),
    /// Each warpgroup has its own tile (`pingpong.cu`): stores hide behind the other's products.
    WIDE("pingpong_%s_192", "PINGPONG_WIDE", 1.08),
    NARROW("pingpong_%s_128", "PINGPONG_NARROW", 1.3);

    private final String kernel;
    private final int columns;
    private final int sharedBytes;
    /// Time for a column of a dense tile beside that of SHARED.
    private final double cost;

    HopperTile(String kernel, String size, double cost) {
        this.kernel = kernel;
        this.columns = TileSizes.of(size + "_COLUMNS");
        this.sharedBytes = TileSizes.of(size + "_SHARED_BYTES");
        this.cost = cost;
    }

    /// @param form `nt` or `nn`
    String kernel(String form) {
        return kernel.formatted(form);
    }

    int columns() {
        return columns;
    }

    int sharedBytes() {
        return sharedBytes;
    }

    int columnTiles(int n) {
        return Math.ceilDiv(n, columns);
    }

    /// Gathered rows are brought by threads, which feed one large tile fast enough and two smaller ones not. Other grouped products have
    /// tiles for many waves, most of them with short sums: their stores have to be hidden. A dense product takes the tile whose last wave
    /// wastes least.
    static HopperTile of(Gemm g, long rowTiles, int multiprocessors) {
        if (g.aRows() != null || !HopperGemm.deep(g)) {
            return SHARED;
        }
        if (g.tiles() != null) {
            return WIDE;
        }
        return Stream.of(values())
                .min(Comparator.comparingDouble(tile -> Math.ceilDiv(rowTiles * tile.columnTiles(g.n()), (long) multiprocessors) * tile.columns * tile.cost))
                .orElseThrow();
    }
}
