package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.LANES;
import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.set;

/// Scores of a few queries against a few keys, rows [WIDTH] apart; the part of each row that its query does not see is
/// masked, so that row arithmetic may run over whole vectors.
final class ScoreTile {
    static final int QUERIES = 64;
    static final int KEYS = 256;
    /// A power of two would map every row to the same cache sets.
    static final int WIDTH = KEYS + 16;
    static final int ELEMENTS = QUERIES * WIDTH;

    private ScoreTile() {}

    static long row(long tile, int query) {
        return at(tile, (long) query * WIDTH);
    }

    /// Keys of the tile that query `query` sees, as `from` and `to` relative to `firstKey`.
    static int visibleFrom(int query, int firstKey, int window) {
        return window == 0 ? 0 : Math.max(0, query - window + 1 - firstKey);
    }

    static int visibleTo(int query, int firstKey, int keys) {
        return Math.min(keys, query - firstKey + 1);
    }

    /// Masks [0, from) and [to, the next whole vector), clears the rest of `keys`; returns where that whole vector ends.
    static int mask(long row, int from, int to, int keys) {
        Rows.fill(row, from, Float.NEGATIVE_INFINITY);
        int end = Math.min(WIDTH, Math.ceilDiv(to, LANES) * LANES);
        for (int i = to; i < end; i++) {
            set(at(row, i), Float.NEGATIVE_INFINITY);
        }
        if (end < keys) {
            Rows.fill(at(row, end), keys - end, 0f);
        }
        return end;
    }
}
