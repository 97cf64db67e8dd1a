package dev.sluice.compute.cpu;

import static dev.sluice.compute.cpu.Memory.at;
import static dev.sluice.compute.cpu.Memory.get;
import static dev.sluice.compute.cpu.Memory.getInt;
import static dev.sluice.compute.cpu.Memory.set;
import static dev.sluice.compute.cpu.Memory.setInt;

import dev.sluice.compute.DType;
import dev.sluice.compute.op.RouterOps.Router;

/// Picks a token's experts. Of equal ones the lower expert wins, of equal groups the lower group.
///
/// @param correction address of [experts], or 0
record ExpertChoice(int experts, int topK, long correction, int groups, int keptGroups) {
    static ExpertChoice of(String operation, Router router) {
        var choice = router.choice();
        long correction = choice.correction() == null ? 0
                : choice.correction().require(operation, DType.FLOAT32, router.experts()).address();
        return new ExpertChoice(router.experts(), router.topK(), correction, choice.groups(), choice.keptGroups());
    }

    /// @param scores [experts]
    /// @param logits [experts]; without correction they rank as the scores do, and more finely
    /// @param candidates [experts] of scratch memory
    /// @param picks [topK], best first
    void pick(long scores, long logits, long candidates, long picks) {
        Memory.copy(correction == 0 && groups == 1 ? logits : scores, candidates, 4L * experts);
        for (int e = 0; correction != 0 && e < experts; e++) {
            set(at(candidates, e), get(at(candidates, e)) + get(at(correction, e)));
        }
        if (keptGroups < groups) {
            dropGroups(candidates);
        }
        for (int k = 0; k < topK; k++) {
            setInt(at(picks, k), best(candidates, picks, k));
        }
    }

    private int best(long candidates, long picks, int taken) {
        int best = -1;
        for (int e = 0; e < experts; e++) {
            if (!taken(picks, taken, e) && (best < 0 || get(at(candidates, e)) > get(at(candidates, best)))) {
                best = e;
            }
        }
        return best;
    }

    private static boolean taken(long picks, int count, int expert) {
        for (int k = 0; k < count; k++) {
            if (getInt(at(picks, k)) == expert) {
                return true;
            }
        }
        return false;
    }

    /// Leaves the groups with the largest sums of their two best candidates.
    private void dropGroups(long candidates) {
        int size = experts / groups;
        float[] sums = new float[groups];
        for (int g = 0; g < groups; g++) {
            sums[g] = topTwo(at(candidates, (long) g * size), size);
        }
        for (int g = 0; g < groups; g++) {
            if (rank(sums, g) >= keptGroups) {
                Rows.fill(at(candidates, (long) g * size), size, Float.NEGATIVE_INFINITY);
            }
        }
    }

    private static float topTwo(long candidates, int count) {
        float first = Float.NEGATIVE_INFINITY;
        float second = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < count; i++) {
            float value = get(at(candidates, i));
            second = Math.max(second, Math.min(first, value));
            first = Math.max(first, value);
        }
        return first + second;
    }

    /// Groups that come before this one.
    private static int rank(float[] sums, int group) {
        int before = 0;
        for (int g = 0; g < sums.length; g++) {
            before += sums[g] > sums[group] || sums[g] == sums[group] && g < group ? 1 : 0;
        }
        return before;
    }
}
