package dev.sluice.compute.probe;

import dev.sluice.compute.op.Routing;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Routings that no router made: any experts may go without a row.
final class HandRouting {
    static final int UNEVEN_EXPERTS = 6;
    static final int UNEVEN_PICKS = 2;

    private HandRouting() {}

    /// Distinct random experts from `from` to `to` - 1 for every token, random weights, and the sorted tables.
    static Routing random(Side side, int tokens, int topK, int from, int to, int experts) {
        return routing(side, picks(side.random(), tokens, topK, from, to), tokens, topK, experts);
    }

    /// Two of four experts for every token, but for one token that alone picks the fifth; the sixth is empty.
    static Routing uneven(Side side, int tokens) {
        int[] picks = picks(side.random(), tokens, UNEVEN_PICKS, 0, UNEVEN_EXPERTS - 2);
        picks[tokens / 2 * UNEVEN_PICKS] = UNEVEN_EXPERTS - 2;
        return routing(side, picks, tokens, UNEVEN_PICKS, UNEVEN_EXPERTS);
    }

    private static int[] picks(SplittableRandom random, int tokens, int topK, int from, int to) {
        int[] picks = new int[tokens * topK];
        for (int t = 0; t < tokens; t++) {
            int[] pool = IntStream.range(from, to).toArray();
            for (int k = 0; k < topK; k++) {
                int other = random.nextInt(k, pool.length);
                picks[t * topK + k] = pool[other];
                pool[other] = pool[k];
            }
        }
        return picks;
    }

    private static Routing routing(Side side, int[] picks, int tokens, int topK, int experts) {
        var tables = RowTables.of(picks, topK, experts);
        return new Routing(side.ints("picks", picks, tokens, topK), side.float32("weights", 0.5, tokens, topK),
                side.ints("offsets", tables.offsets(), experts + 1), side.ints("rowToken", tables.rowToken(), picks.length),
                side.ints("rowOfPick", tables.rowOfPick(), tokens, topK));
    }
}
