package dev.sluice.cuda;

import dev.sluice.compute.DType;
import dev.sluice.compute.Scope;
import dev.sluice.compute.Tensor;

/// Routed rows cut into pieces that a matrix kernel works on, built on the device from the experts' offsets.
///
/// @param table INT32 [limit, 4]: expert, first row, rows, 0
/// @param count INT32 [1]: how many there are
/// @param limit how many there can be at most
record RowTiles(Tensor table, Tensor count, int limit) {
    private static final int ROWS = TileSizes.of("GEMM_ROWS");

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
        int limit = Math.toIntExact(Math.min(rows, rows / ROWS + experts));
        var tiles = new RowTiles(scratch.allocate("tiles", DType.INT32, limit, 4), scratch.allocate("tile count", DType.INT32, 1), limit);
        device.launch("expert_tiles").block(TileSizes.of("COMPACT_THREADS"))
                .pointer(offsets).int32(experts).int32(rows).flag(whole).pointer(tiles.table).pointer(tiles.count).fault().run();
        return tiles;
    }
}
