package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Routed rows cut into pieces that a matrix kernel works on, built on the device from the experts' offsets.
///
/// @param fixed pieces of the portable kernels' height and a last one for each expert
/// @param even as few pieces an expert as `hopper/expert_gemm.cu` can take, about equally high; null on other devices
record RowTiles(Pieces fixed, Pieces even) {
    private static final int FIXED_ROWS = TileSizes.of("GEMM_ROWS");
    private static final int EVEN_ROWS = TileSizes.of("EXPERT_GEMM_PIECE");
    private static final int WARP = 32;
    private static final int FEW_THREADS = 256;
    private static final int MOST_THREADS = TileSizes.of("COMPACT_THREADS");

    /// A list of pieces.
    ///
    /// @param table INT32 [limit, 4]: expert, first row, rows, 0
    /// @param count INT32 [1]: how many there are
    /// @param limit how many there can be at most
    record Pieces(Tensor table, Tensor count, int limit) {
        private static Pieces allocate(Scope scratch, String name, long rows, int height, int experts) {
            int limit = Math.toIntExact(Math.min(rows, rows / height + experts));
            return new Pieces(scratch.allocate(name, DType.INT32, limit, 4), scratch.allocate(name + " count", DType.INT32, 1), limit);
        }
    }

    static RowTiles build(Device device, Tensor offsets, long rows, Scope scratch) {
        return build(device, offsets, rows, true, scratch);
    }

    /// @param offsets of some neighbouring experts, whose numbers then begin with 0
    /// @param rows of all experts
    static RowTiles ofPart(Device device, Tensor offsets, long rows, Scope scratch) {
        return build(device, offsets, rows, false, scratch);
    }

    private static RowTiles build(Device device, Tensor offsets, long rows, boolean whole, Scope scratch) {
        int experts = Math.toIntExact(offsets.elements() - 1);
        var fixed = Pieces.allocate(scratch, "tiles", rows, FIXED_ROWS, experts);
        var even = device.hopper() ? Pieces.allocate(scratch, "even tiles", rows, EVEN_ROWS, experts) : null;
        device.launch("expert_tiles").grid(even == null ? 1 : 2).block(threads(experts))
                .pointer(offsets).int32(experts).int32(rows).flag(whole).pointer(fixed.table).pointer(fixed.count)
                .pointer(even == null ? null : even.table).pointer(even == null ? null : even.count).fault().run();
        return new RowTiles(fixed, even);
    }

    /// A thread an expert; few experts still have many pieces to write.
    private static int threads(int experts) {
        return Math.clamp(Math.ceilDiv(experts, WARP) * WARP, FEW_THREADS, MOST_THREADS);
    }
}
