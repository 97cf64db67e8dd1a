package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.getInt;

import java.util.ArrayList;

/// A run of routed rows that belong to one expert.
///
/// @param first first row
/// @param end one past the last row
/// @param index which run of its expert, from 0
record ExpertRows(int expert, int first, int end, int index) {
    /// Cuts every expert's rows into runs of at most `longest`; experts without rows have none.
    static ExpertRows[] of(long offsets, int experts, int longest) {
        var runs = new ArrayList<ExpertRows>();
        for (int e = 0; e < experts; e++) {
            int start = getInt(at(offsets, e));
            int end = getInt(at(offsets, e + 1L));
            for (int first = start; first < end; first += longest) {
                runs.add(new ExpertRows(e, first, Math.min(end, first + longest), (first - start) / longest));
            }
        }
        return runs.toArray(ExpertRows[]::new);
    }
}
