package dev.sluice.compute.probe;

import dev.sluice.compute.op.Routing;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/// Routings that no router made: any experts may go without a row.
public final class HandRouting {
    static final int UNEVEN_EXPERTS = 6;
    static final int UNEVEN_PICKS = 2;

    private HandRouting() {}

    /// Distinct random experts from `from` to `to` - 1 for every token, random weights, and the sorted tables.
    public static Routing random(Side side, int tokens, int topK, int from, int to, int experts) {
        return routing(side, picks(side.random(), tokens, topK, from, to), weights(side, tokens, topK), topK, experts);
    }

    /// Random experts for every token, whose weights are what a softmax over all of its logits gives them.
    static Routing softmax(Side side, float[] logits, int tokens, int topK, int experts) {
        int[] picks = picks(side.random(), tokens, topK, 0, experts);
        float[] weights = new float[tokens * topK];
        for (int t = 0; t < tokens; t++) {
            int row = t * experts;
            double sum = IntStream.range(row, row + experts).mapToDouble(i -> Math.exp(logits[i])).sum();
            for (int k = t * topK; k < (t + 1) * topK; k++) {
                weights[k] = (float) (Math.exp(logits[row + picks[k]]) / sum);
            }
        }
        return routing(side, picks, weights, topK, experts);
    }

    /// Two of four experts for every token, but for one token that alone picks the fifth; the sixth is empty.
    static Routing uneven(Side side, int tokens) {
        int[] picks = picks(side.random(), tokens, UNEVEN_PICKS, 0, UNEVEN_EXPERTS - 2);
        picks[tokens / 2 * UNEVEN_PICKS] = UNEVEN_EXPERTS - 2;
        return routing(side, picks, weights(side, tokens, UNEVEN_PICKS), UNEVEN_PICKS, UNEVEN_EXPERTS);
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

    private static float[] weights(Side side, int tokens, int topK) {
        return side.uniform(0.5, tokens, topK);
    }

    private static Routing routing(Side side, int[] picks, float[] weights, int topK, int experts) {
        int tokens = picks.length / topK;
        var tables = RowTables.of(picks, topK, experts);
        return new Routing(side.ints("picks", picks, tokens, topK), side.float32("weights", weights, tokens, topK),
                side.ints("offsets", tables.offsets(), experts + 1), side.ints("rowToken", tables.rowToken(), picks.length),
                side.ints("rowOfPick", tables.rowOfPick(), tokens, topK));
    }
}
