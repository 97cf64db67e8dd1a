package dev.sluice.bench.check;

import dev.sluice.compute.op.Routing;
import java.util.stream.IntStream;

/// Routings that no router made: any experts may go without a row.
final class HandRouting {
    private HandRouting() {}

    /// Distinct random experts from `from` to `to` - 1 for every token, random weights, and the sorted tables.
    static Routing random(Side side, int tokens, int topK, int from, int to, int experts) {
        int[] picks = new int[tokens * topK];
        for (int t = 0; t < tokens; t++) {
            int[] pool = IntStream.range(from, to).toArray();
            for (int k = 0; k < topK; k++) {
                int other = side.random().nextInt(k, pool.length);
                picks[t * topK + k] = pool[other];
                pool[other] = pool[k];
            }
        }
        int[] offsets = new int[experts + 1];
        for (int pick : picks) {
            offsets[pick + 1]++;
        }
        for (int e = 0; e < experts; e++) {
            offsets[e + 1] += offsets[e];
        }
        int[] next = offsets.clone();
        int[] rowToken = new int[picks.length];
        int[] rowOfPick = new int[picks.length];
        for (int i = 0; i < picks.length; i++) {
            rowOfPick[i] = next[picks[i]]++;
            rowToken[rowOfPick[i]] = i / topK;
        }
        return new Routing(side.ints("picks", picks, tokens, topK), side.float32("weights", 0.5, tokens, topK),
                side.ints("offsets", offsets, experts + 1), side.ints("rowToken", rowToken, picks.length),
                side.ints("rowOfPick", rowOfPick, tokens, topK));
    }
}
