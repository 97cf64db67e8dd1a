package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.getInt;
import static dev.sluice.compute.cpu.Memory.setInt;

import dev.sluice.compute.op.Routing;

/// A stable counting sort of picks by expert.
final class RowTables {
    private RowTables() {}

    /// Fills offsets, rowToken and rowOfPick from picks.
    static void sort(Routing routing, int experts) {
        int picks = Math.toIntExact(routing.rows());
        int topK = routing.topK();
        long expertOf = routing.picks().address();
        int[] next = offsets(expertOf, picks, experts, routing.offsets().address());
        long rowToken = routing.rowToken().address();
        long rowOfPick = routing.rowOfPick().address();
        for (int pick = 0; pick < picks; pick++) {
            int row = next[getInt(at(expertOf, pick))]++;
            setInt(at(rowToken, row), pick / topK);
            setInt(at(rowOfPick, pick), row);
        }
    }

    private static int[] offsets(long expertOf, int picks, int experts, long offsets) {
        int[] starts = new int[experts + 1];
        for (int pick = 0; pick < picks; pick++) {
            starts[getInt(at(expertOf, pick)) + 1]++;
        }
        setInt(offsets, 0);
        for (int e = 0; e < experts; e++) {
            starts[e + 1] += starts[e];
            setInt(at(offsets, e + 1L), starts[e + 1]);
        }
        return starts;
    }
}
