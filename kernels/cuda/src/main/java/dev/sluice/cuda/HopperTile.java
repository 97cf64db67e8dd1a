package dev.sluice.cuda;

import java.util.Comparator;
import java.util.stream.Stream;

/// The columns of an output tile of a dense product, and who multiplies it; as measured in `hopper/NOTES.md`.
enum HopperTile {
    /// Two warpgroups share the tile (`gemm.cu`): fewest bytes for its operations, its stores show.
    SHARED("gemm_%s", "HOPPER_GEMM", 1, 2),
    /// Each warpgroup has its own tile (`pingpong.cu`): stores hide behind the other's products.
    WIDE("pingpong_%s_192", "PINGPONG_WIDE", 1.03, 0),
    NARROW("pingpong_%s_128", "PINGPONG_NARROW", 1.12, 0);

    private static final int DEPTH = TileSizes.of("HOPPER_DEPTH");

    private final String kernel;
    private final int columns;
    private final int sharedBytes;
    /// Time for a block of the sum and a column, beside that of SHARED.
    private final double cost;
    /// Blocks of the sum that take as long as the stores that show.
    private final int stores;

    HopperTile(String kernel, String size, double cost, int stores) {
        this.kernel = kernel;
        this.columns = TileSizes.of(size + "_COLUMNS");
        this.sharedBytes = TileSizes.of(size + "_SHARED_BYTES");
        this.cost = cost;
        this.stores = stores;
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

    /// Only the shared tile gathers. Other products take the tile whose waves end first.
    static HopperTile of(Gemm g, long rowTiles, int multiprocessors) {
        return g.aRows() != null || !deep(g) ? SHARED
                : Stream.of(values()).min(Comparator.comparingDouble(tile -> tile.time(g, rowTiles, multiprocessors))).orElseThrow();
    }

    /// Whether a sum has the two blocks that the ping-pong kernels need.
    private static boolean deep(Gemm g) {
        return g.k() > DEPTH || g.rank() > 0;
    }

    private double time(Gemm g, long rowTiles, int multiprocessors) {
        long waves = Math.ceilDiv(rowTiles * columnTiles(g.n()), (long) multiprocessors);
        return waves * (Math.ceilDiv(g.k(), DEPTH) + Math.ceilDiv(g.rank(), DEPTH) + stores) * cost * columns;
    }
}
